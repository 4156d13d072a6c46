"""Connected accounts: they may be paid once their owner has filled in Stripe's form, here a page with one button."""

from .errors import invalid
from .events import changed, emit
from .lists import page, whole
from .methods import merged
from .parameters import PAGE, Table, boolean, choice, created, metadata, text, url
from .routes import Request, call
from .state import new_id, nulls
from .world import World

LINK_S = 300
NEEDED = ["external_account", "individual.first_name", "individual.last_name", "tos_acceptance.date"]
CAPABILITIES = ("card_payments", "transfers")
REQUESTS: Table = dict.fromkeys(CAPABILITIES, {"requested": boolean})
FIELDS = {"email": text, "metadata": metadata, "capabilities": REQUESTS,
          "business_type": choice("company", "individual", "non_profit"),
          "business_profile": {"name": text, "url": text, "mcc": text, "product_description": text}}


@call("POST", "/v1/accounts", FIELDS | {"type": choice("express", "standard", "custom"), "country": text,
                                        "default_currency": text})
def create(world: World, request: Request) -> dict:
    asked = request.params
    kind = asked.get("type", "express")
    wanted = [name for name, given in asked.get("capabilities", {}).items() if given.get("requested")]
    account = world.state.add("account", {
        "business_profile": nulls("annual_revenue estimated_worker_count mcc name product_description support_address "
                                  "support_email support_phone support_url url") | asked.get("business_profile", {}),
        "business_type": asked.get("business_type"), "capabilities": dict.fromkeys(wanted, "inactive"),
        "charges_enabled": False, "country": asked.get("country", "US"), "default_currency": "usd",
        "details_submitted": False, "email": asked.get("email"), "metadata": asked.get("metadata", {}),
        "payouts_enabled": False, "type": kind, "tos_acceptance": {}, "requirements": requirements(NEEDED),
        "future_requirements": requirements([]) | {"disabled_reason": None},
        "controller": {"type": "application", "is_controller": True, "requirement_collection": "stripe",
                       "fees": {"payer": "application_express"}, "losses": {"payments": "application"},
                       "stripe_dashboard": {"type": "express"}},
        "settings": {"branding": nulls("icon logo primary_color secondary_color"),
                     "card_payments": {"statement_descriptor_prefix": None}, "card_issuing": {},
                     "dashboard": {"display_name": None, "timezone": "Etc/UTC"},
                     "payments": nulls("statement_descriptor statement_descriptor_kana statement_descriptor_kanji"),
                     "payouts": {"debit_negative_balances": True, "statement_descriptor": None, "schedule": {
                         "delay_days": 2, "interval": "daily"}}}})
    account["external_accounts"] = whole(f"/v1/accounts/{account['id']}/external_accounts", [])
    return account


def requirements(due: list[str]) -> dict:
    return {"alternatives": [], "current_deadline": None, "currently_due": due, "errors": [], "eventually_due": due,
            "past_due": due, "pending_verification": [], "disabled_reason": "requirements.past_due" if due else None}


def onboarded(world: World, account: dict) -> None:
    """The owner has filled in the form."""
    changed(world, "account.updated", account, {
        "details_submitted": True, "payouts_enabled": True, "charges_enabled": "card_payments" in account["capabilities"],
        "capabilities": dict.fromkeys(account["capabilities"], "active"), "requirements": requirements([])}, account["id"])


def restricted(world: World, account: dict) -> None:
    """Stripe wants to know more before it pays this account again."""
    changed(world, "account.updated", account, {
        "payouts_enabled": False, "charges_enabled": False,
        "capabilities": dict.fromkeys(account["capabilities"], "inactive"),
        "requirements": requirements(["individual.verification.document"])}, account["id"])


@call("GET", "/v1/accounts", PAGE | {"created": created})
def list_all(world: World, request: Request) -> dict:
    return page("/v1/accounts", world.newest("account"), request.params, lambda account: not account.get("deleted"))


@call("GET", "/v1/accounts/{id}")
def get(world: World, request: Request) -> dict:
    account = world.state.objects["account"].get(request.ids["id"])
    if account is None or account.get("deleted"):
        raise no_access(request.ids["id"])
    return account


def no_access(given: str) -> Exception:
    return invalid(f"The provided key does not have access to account '{given}' (or that account does not exist). "
                   "Application access may have been revoked.", code="account_invalid", status=403)


@call("POST", "/v1/accounts/{id}", FIELDS)
def update(world: World, request: Request) -> dict:
    account, asked = get(world, request), request.params
    fields = {name: asked[name] for name in ("email", "business_type") if name in asked}
    if "metadata" in asked:
        fields["metadata"] = merged(account["metadata"], asked["metadata"])
    if "business_profile" in asked:
        fields["business_profile"] = account["business_profile"] | asked["business_profile"]
    if "capabilities" in asked:
        status = "active" if account["details_submitted"] else "inactive"
        wanted = [name for name, given in asked["capabilities"].items() if given.get("requested")]
        fields["capabilities"] = dict.fromkeys(wanted, status) | account["capabilities"]
    changed(world, "account.updated", account, fields, account["id"])
    return account


@call("DELETE", "/v1/accounts/{id}")
def delete(world: World, request: Request) -> dict:
    account = get(world, request)
    account.clear()
    account |= {"id": request.ids["id"], "object": "account", "deleted": True}
    emit(world, "account.application.deauthorized", {"id": "ca_fake", "object": "application", "name": "Peerway"},
         account=account["id"])
    return account


@call("POST", "/v1/account_links", {"account!": text, "type!": choice("account_onboarding", "account_update"),
                                    "refresh_url": url, "return_url": url,
                                    "collection_options": {"fields": choice("currently_due", "eventually_due")}})
def link(world: World, request: Request) -> dict:
    asked = request.params
    account = get(world, Request("GET", "", {}, {"id": asked["account"]}))
    for name in ("refresh_url", "return_url"):
        if name not in asked:
            raise invalid(f"Missing required param: {name}.", code="parameter_missing", param=name)
    token, now = new_id("", 12), world.state.now()
    world.state.secret(account["id"])[f"link {token}"] = {
        "ends": now + LINK_S, "refresh_url": asked["refresh_url"], "return_url": asked["return_url"]}
    return {"object": "account_link", "created": now, "expires_at": now + LINK_S,
            "url": f"{world.base_url}/setup/e/{account['id']}/{token}"}


@call("POST", "/v1/accounts/{id}/login_links")
def login(world: World, request: Request) -> dict:
    account = get(world, request)
    if not account["details_submitted"]:
        raise invalid("Cannot create a login link for an account that has not completed onboarding.", param="account")
    return {"object": "login_link", "created": world.state.now(), "url": f"{world.base_url}/express/{account['id']}"}
