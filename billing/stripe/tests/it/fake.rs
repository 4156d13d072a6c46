//! The fake Stripe's process, and its knobs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use peerway_billing_stripe::{Cents, CustomerId, NewCheckout, StripeClient, StripeConfig};
use serde_json::{Value, json};

/// A fake of its own for each test, so that tests do not meet each other's money.
pub(crate) struct Fake {
    process: Child,
    pub(crate) base: String,
}

impl Drop for Fake {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Fake {
    pub(crate) fn start() -> Self {
        // Two crates' tests include this file.
        let home = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = ["fake", "stripe/fake"].map(|folder| home.join(folder)).into_iter().find(|folder| folder.is_dir());
        let folder = folder.expect("the fake is there");
        let mut process = Command::new("python3")
            .arg(folder)
            .args(["--port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs");
        let mut first = String::new();
        let output = process.stdout.take().expect("its output is ours");
        BufReader::new(output).read_line(&mut first).expect("it says where it is");
        let base = first.split_whitespace().last().expect("an address").to_owned();
        Self { process, base }
    }

    pub(crate) fn client(&self, timeout: Duration) -> StripeClient {
        let secret_key = "sk_test_of_nobody".to_owned();
        StripeClient::new(StripeConfig { secret_key, base: Some(self.base.clone()), timeout }).expect("it is usable")
    }

    /// Turns a knob below `/_fake/`.
    pub(crate) fn knob(&self, method: &str, path: &str, body: &Value) -> Value {
        self.turned(method, path, body).unwrap_or_else(|refusal| panic!("{method} {path}: {refusal}"))
    }

    /// What a knob answers, or why it does not turn: of paying, why it was declined.
    pub(crate) fn turned(&self, method: &str, path: &str, body: &Value) -> Result<Value, Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.http(method, &format!("/_fake/{path}"), "application/json", &body)
    }

    /// Sends a part of a payment back, as somebody does in Stripe's dashboard.
    pub(crate) fn refund_in_dashboard(&self, intent: &str, cents: i64) {
        let form = format!("payment_intent={intent}&amount={cents}");
        self.http("POST", "/v1/refunds", "application/x-www-form-urlencoded", &form).expect("it goes back");
    }

    fn http(&self, method: &str, path: &str, kind: &str, body: &str) -> Result<Value, Value> {
        let host = self.base.strip_prefix("http://").expect("plain HTTP");
        let mut stream = TcpStream::connect(host).expect("it listens");
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: {host}\r\nAuthorization: Bearer sk_test_of_nobody\r\n\
             Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer of HTTP");
        let body = serde_json::from_str(body).expect("it answers in JSON");
        if head.contains(" 200 ") { Ok(body) } else { Err(body) }
    }

    /// How many calls of this kind did work, which a replayed one does not.
    pub(crate) fn worked(&self, path: &str) -> usize {
        let calls = self.knob("GET", &format!("calls?method=POST&path={path}"), &Value::Null);
        calls["calls"].as_array().expect("a list").iter().filter(|call| call["worked"] == true).count()
    }

    /// A customer who saved this card by paying ten dollars.
    pub(crate) async fn customer_with(&self, card: &str) -> CustomerId {
        let client = self.client(StripeConfig::TIMEOUT);
        let customer = client.create_customer("acme", None).await.expect("a customer");
        let new = NewCheckout { save_card: true, ..checkout(&customer, "first", 1_000) };
        let page = client.create_checkout(&new).await.expect("a page");
        self.pay(page.id.as_str(), card);
        customer
    }

    pub(crate) fn pay(&self, session: &str, card: &str) -> Value {
        self.knob("POST", &format!("checkout/{session}/pay"), &json!({ "card": card }))
    }
}

pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    i64::try_from(since.as_secs()).expect("it is before the end of time")
}

pub(crate) fn cents(cents: i64) -> Cents {
    Cents::new(cents).expect("not below nothing")
}

pub(crate) fn checkout(customer: &CustomerId, order: &str, credit: i64) -> NewCheckout {
    NewCheckout {
        order: order.to_owned(),
        account: "acme".to_owned(),
        customer: customer.clone(),
        credit: cents(credit),
        title: "Credit".to_owned(),
        tax: false,
        ask_bank: false,
        save_card: false,
        expires_at: now() + 3600,
        success_url: "https://example.com/paid".to_owned(),
        cancel_url: "https://example.com/".to_owned(),
    }
}
