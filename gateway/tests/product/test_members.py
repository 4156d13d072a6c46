"""The people of an account, and the log of who changed what."""

from urllib.parse import quote

import pytest

ADA = quote("https://id.example.com|ada/1", safe="")


@pytest.fixture(scope="module")
def gateway(world):
    return world.gateway()


@pytest.fixture
def admin(gateway):
    return gateway.account("1", "--scope", "admin")


def put(admin, subject, role="owner", name="Somebody"):
    return admin.request("PUT", f"/v1/admin/members/{subject}", {"role": role, "name": name})


def members(admin):
    return {member["subject"]: member for member in admin.request("GET", "/v1/admin/members").json()["data"]}


def test_members_come_change_and_go(admin):
    assert members(admin) == {}
    assert put(admin, ADA, "owner", "Ada").status_code in (200, 201)
    assert put(admin, "bob", "viewer", "Bob").status_code in (200, 201)
    assert {subject: member["role"] for subject, member in members(admin).items()} == {
        "https://id.example.com|ada/1": "owner", "bob": "viewer",
    }
    assert put(admin, "bob", "developer", "Robert").status_code == 200
    one = admin.request("GET", "/v1/admin/members/bob").json()
    assert (one["subject"], one["role"], one["name"]) == ("bob", "developer", "Robert")
    assert admin.request("DELETE", "/v1/admin/members/bob").status_code in (200, 204)
    assert list(members(admin)) == ["https://id.example.com|ada/1"]
    assert admin.request("DELETE", "/v1/admin/members/bob").status_code == 404
    assert admin.request("GET", "/v1/admin/members/bob").status_code == 404


def test_the_last_owner_stays(admin):
    """Else nobody could change anything any more."""
    assert put(admin, ADA).status_code in (200, 201)
    assert put(admin, "bob", "developer").status_code in (200, 201)
    assert put(admin, ADA, "viewer").status_code == 400
    assert admin.request("DELETE", f"/v1/admin/members/{ADA}").status_code == 400
    assert members(admin)["https://id.example.com|ada/1"]["role"] == "owner"
    assert put(admin, "bob", "owner").status_code == 200
    assert put(admin, ADA, "viewer").status_code == 200


@pytest.mark.parametrize("body", [
    {}, {"role": "king"}, {"role": None}, {"role": "owner", "name": 7}, {"role": ["owner"]}, [],
])
def test_a_member_that_makes_no_sense(admin, body):
    assert admin.request("PUT", f"/v1/admin/members/{ADA}", body).status_code == 400
    assert members(admin) == {}


def test_members_of_another_account_are_not_there(gateway, admin):
    assert put(admin, ADA).status_code in (200, 201)
    stranger = gateway.account("1", "--scope", "admin")
    assert members(stranger) == {}
    assert stranger.request("GET", f"/v1/admin/members/{ADA}").status_code == 404
    assert stranger.request("DELETE", f"/v1/admin/members/{ADA}").status_code == 404
    assert len(members(admin)) == 1


def test_the_log_tells_who_did_what_to_what(gateway, admin):
    made = admin.request("POST", "/v1/admin/keys", {"name": "audited"}).json()
    admin.request("PATCH", f"/v1/admin/keys/{made['id']}", {"name": "changed"})
    admin.request("DELETE", f"/v1/admin/keys/{made['id']}")
    put(admin, ADA)
    gateway.cli("credit", "grant", admin.id, "1")
    answer = admin.request("GET", "/v1/admin/audit")
    log = answer.json()["data"]
    by_key = [entry for entry in log if entry["actor"] == f"key:{admin.key_id}"]
    assert len(by_key) == 4
    assert sum(made["id"] in str(entry) for entry in by_key) == 3
    assert any("https://id.example.com|ada/1" in str(entry) for entry in by_key)
    # What came before was done at the command line: the account and its first key.
    assert "operator" in {entry["actor"] for entry in log}
    assert made["secret"] not in answer.text
    times = [entry["created_at"] for entry in log]
    assert times == sorted(times, reverse=True)


def test_the_log_is_of_one_account_and_nobody_changes_it(gateway, admin):
    stranger = gateway.account("1", "--scope", "admin")
    assert stranger.key_id not in admin.request("GET", "/v1/admin/audit").text
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert admin.request(method, "/v1/admin/audit").status_code == 405


def test_the_log_comes_in_pages(admin):
    for number in range(5):
        admin.request("POST", "/v1/admin/keys", {"name": f"key {number}"})
    whole = admin.request("GET", "/v1/admin/audit").json()["data"]
    first = admin.request("GET", "/v1/admin/audit?limit=3").json()
    assert first["data"] == whole[:3]
    assert first["has_more"] is True
    rest = admin.request("GET", f"/v1/admin/audit?limit=100&after={first['last_id']}").json()
    assert first["data"] + rest["data"] == whole
    assert rest["has_more"] is False
    assert admin.request("GET", "/v1/admin/audit?limit=0").status_code == 400
    assert admin.request("GET", "/v1/admin/audit?limit=x").status_code == 400
