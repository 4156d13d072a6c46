//! Which object an event is about. Nothing else of it is read.

use serde::Deserialize;

use crate::id::{ConnectedId, EventId, PaymentId, SessionId, WarningId};

/// What cannot be read as an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// It is no JSON, or a field that every event has is missing.
    #[error("this is no event of Stripe's: {0}")]
    Malformed(String),
}

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// At a payment: itself, a charge, refund, dispute or warning of it.
    Payment(PaymentId),
    /// At a payment page, which knows its payment.
    Checkout(SessionId),
    /// At a warning that does not name its payment.
    Warning(WarningId),
    /// At an operator's account.
    Connected(ConnectedId),
    /// Nowhere: it is about something we have no use for.
    Nothing,
}

/// Something that happened at Stripe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its name: the same however often it is sent.
    pub id: EventId,
    /// What happened, such as `payment_intent.succeeded`.
    pub kind: String,
    /// When, in seconds since 1970.
    pub created: i64,
    /// Where to look.
    pub subject: Subject,
}

#[derive(Deserialize)]
struct Wire {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    created: i64,
    data: WireData,
}

#[derive(Deserialize)]
struct WireData {
    object: WireObject,
}

#[derive(Deserialize)]
struct WireObject {
    id: Option<String>,
    object: Option<String>,
    /// A name, or the object itself where an endpoint's version expands it.
    payment_intent: Option<serde_json::Value>,
}

impl Event {
    /// Reads what [`super::Secrets::check`] believes.
    ///
    /// # Errors
    /// It is no event.
    pub fn read(body: &[u8]) -> Result<Self, EventError> {
        let wire: Wire = serde_json::from_slice(body).map_err(|error| EventError::Malformed(error.to_string()))?;
        let id = wire.id.parse().map_err(|_| EventError::Malformed("its id is no name".to_owned()))?;
        Ok(Self { id, subject: wire.data.object.subject(), kind: wire.kind, created: wire.created })
    }
}

impl WireObject {
    fn subject(&self) -> Subject {
        let id = self.id.as_deref().unwrap_or_default();
        let found = match self.object.as_deref() {
            Some("payment_intent") => id.parse().ok().map(Subject::Payment),
            Some("checkout.session") => self.payment().or_else(|| id.parse().ok().map(Subject::Checkout)),
            Some("radar.early_fraud_warning") => self.payment().or_else(|| id.parse().ok().map(Subject::Warning)),
            Some("charge" | "refund" | "dispute" | "review") => self.payment(),
            Some("account") => id.parse().ok().map(Subject::Connected),
            _ => None,
        };
        found.unwrap_or(Subject::Nothing)
    }

    fn payment(&self) -> Option<Subject> {
        let value = self.payment_intent.as_ref()?;
        let name = value.as_str().or_else(|| value.get("id")?.as_str())?;
        name.parse().ok().map(Subject::Payment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(object: &str) -> Subject {
        let body = format!(r#"{{"id":"evt_1","type":"x","created":7,"data":{{"object":{object}}},"more":[1]}}"#);
        Event::read(body.as_bytes()).expect("it is an event").subject
    }

    #[test]
    fn events_lead_to_the_payment() {
        let payment = Subject::Payment("pi_1".parse().expect("a name"));
        for object in [
            r#"{"id":"pi_1","object":"payment_intent","amount":"not even a number"}"#,
            r#"{"id":"ch_1","object":"charge","payment_intent":"pi_1"}"#,
            r#"{"id":"re_1","object":"refund","payment_intent":{"id":"pi_1","new":{}}}"#,
            r#"{"id":"dp_1","object":"dispute","payment_intent":"pi_1"}"#,
            r#"{"id":"cs_1","object":"checkout.session","payment_intent":"pi_1"}"#,
            r#"{"id":"issfr_1","object":"radar.early_fraud_warning","payment_intent":"pi_1"}"#,
        ] {
            assert_eq!(subject(object), payment, "{object}");
        }
    }

    #[test]
    fn without_one_to_what_knows_it() {
        let page = Subject::Checkout("cs_1".parse().expect("a name"));
        assert_eq!(subject(r#"{"id":"cs_1","object":"checkout.session","payment_intent":null}"#), page);
        assert_eq!(subject(r#"{"id":"ch_1","object":"charge"}"#), Subject::Nothing);
        assert_eq!(subject(r#"{"object":"tomorrow's"}"#), Subject::Nothing);
        assert_eq!(subject(r#"{"id":"pi_1/../x","object":"payment_intent"}"#), Subject::Nothing);
    }

    #[test]
    fn what_is_no_event_is_told() {
        for body in ["", "[]", "{}", r#"{"id":"evt_1","type":"x","created":1}"#] {
            assert!(matches!(Event::read(body.as_bytes()), Err(EventError::Malformed(_))), "{body}");
        }
    }
}
