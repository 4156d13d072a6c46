//! A model's chat template: messages into the prompt that the model reads.
//!
//! Templates are Jinja as Hugging Face's `transformers` runs it, with Python's string methods and two functions of its
//! own. The template comes from the operator's catalog and is trusted; the messages are the caller's and are not.

use minijinja::value::Kwargs;
use minijinja::{Environment, ErrorKind, context};
use peerway_openapi::chat::{ChatRequest, Message};
use serde::Serialize;

const NAME: &str = "chat";

/// A compiled template.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    bos_token: String,
    eos_token: String,
}

/// Why a template could not be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The template itself is wrong.
    #[error("the chat template does not compile: {0}")]
    Syntax(String),
    /// The template refuses these messages: its own words are for the caller.
    #[error("the model's chat template refuses these messages: {0}")]
    Refused(String),
}

#[derive(Serialize)]
struct TemplateMessage<'a> {
    role: &'static str,
    content: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<&'a [peerway_openapi::chat::ToolCall]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

impl<'a> TemplateMessage<'a> {
    fn of(message: &'a Message) -> Self {
        Self {
            role: message.role.in_template(),
            content: message.joined_text(),
            name: message.name.as_deref(),
            tool_calls: message.tool_calls.as_deref(),
            tool_call_id: message.tool_call_id.as_deref(),
        }
    }
}

impl ChatTemplate {
    /// Compiles a template. `bos_token` and `eos_token` are empty where the model has none.
    ///
    /// # Errors
    /// `Syntax` with the place of the mistake.
    pub fn compile(source: String, bos_token: String, eos_token: String) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<String, minijinja::Error> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
        });
        environment.add_function("strftime_now", strftime_now);
        environment.add_filter("tojson", tojson);
        environment.add_template_owned(NAME, source).map_err(|error| TemplateError::Syntax(error.to_string()))?;
        Ok(Self { environment, bos_token, eos_token })
    }

    /// The prompt that a node's model reads for this request, up to where the assistant begins to speak.
    ///
    /// # Errors
    /// `Refused` where the template raises an error, as some do for roles they do not know.
    pub fn render(&self, request: &ChatRequest) -> Result<String, TemplateError> {
        let messages: Vec<_> = request.messages.iter().map(TemplateMessage::of).collect();
        let tools = request.tools.as_deref().filter(|tools| !tools.is_empty());
        let refused =
            |error: minijinja::Error| TemplateError::Refused(error.detail().unwrap_or("no reason").to_owned());
        let template = self.environment.get_template(NAME).map_err(refused)?;
        let context = context! {
            messages, tools, add_generation_prompt => true,
            bos_token => self.bos_token, eos_token => self.eos_token,
        };
        template.render(context).map_err(refused)
    }
}

/// Python's `json.dumps` spacing, which models were trained on; minijinja's own filter escapes for HTML.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands keyword arguments over by value")]
fn tojson(value: &minijinja::Value, kwargs: Kwargs) -> Result<String, minijinja::Error> {
    let indent: Option<usize> = kwargs.get("indent")?;
    kwargs.assert_all_used()?;
    let failed = |error: serde_json::Error| minijinja::Error::new(ErrorKind::BadSerialization, error.to_string());
    if indent.is_some() {
        return serde_json::to_string_pretty(value).map_err(failed);
    }
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, PythonSpacing);
    value.serialize(&mut serializer).map_err(failed)?;
    String::from_utf8(out).map_err(|error| minijinja::Error::new(ErrorKind::BadSerialization, error.to_string()))
}

struct PythonSpacing;

impl serde_json::ser::Formatter for PythonSpacing {
    fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, out: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, out: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, out: &mut W) -> std::io::Result<()> {
        out.write_all(b": ")
    }
}

/// The date of today in UTC. Templates ask for it in a handful of forms; others are refused rather than misread.
fn strftime_now(format: &str) -> Result<String, minijinja::Error> {
    let description = format
        .replace("%Y", "[year]")
        .replace("%m", "[month]")
        .replace("%d", "[day]")
        .replace("%b", "[month repr:short]")
        .replace("%B", "[month repr:long]")
        .replace("%H", "[hour]")
        .replace("%M", "[minute]");
    let unsupported = || minijinja::Error::new(ErrorKind::InvalidOperation, format!("strftime_now of `{format}`"));
    if description.contains('%') {
        return Err(unsupported());
    }
    let items = time::format_description::parse_borrowed::<2>(&description).map_err(|_| unsupported())?;
    time::OffsetDateTime::now_utc().format(&items).map_err(|_| unsupported())
}

#[cfg(test)]
mod tests {
    use peerway_openapi::chat::Role;

    use super::*;

    const CHATML: &str = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

    fn request(messages: &[Message]) -> ChatRequest {
        let body = serde_json::json!({"model": "m", "messages": messages});
        serde_json::from_value(body).unwrap()
    }

    fn compile(source: &str) -> Result<ChatTemplate, TemplateError> {
        ChatTemplate::compile(source.to_owned(), "<s>".into(), "</s>".into())
    }

    #[test]
    fn chatml_is_rendered() {
        let template = compile(CHATML).unwrap();
        let messages = [Message::text(Role::Developer, "Be brief."), Message::text(Role::User, "Hi")];
        let expected =
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
        assert_eq!(template.render(&request(&messages)).unwrap(), expected);
    }

    #[test]
    fn a_template_can_refuse() {
        let template = compile("{{ raise_exception('roles must alternate') }}").unwrap();
        let refusal = template.render(&request(&[Message::text(Role::User, "Hi")])).unwrap_err();
        assert!(refusal.to_string().ends_with("roles must alternate"), "{refusal}");
    }

    #[test]
    fn pythons_methods_and_json_are_there() {
        let template = compile("{{ ' x '.strip() }}{{ {'a': [1, '<']} | tojson }}{{ bos_token }}").unwrap();
        assert_eq!(template.render(&request(&[Message::text(Role::User, "Hi")])).unwrap(), "x{\"a\": [1, \"<\"]}<s>");
    }

    #[test]
    fn a_callers_text_is_no_template() {
        let template = compile("{{ messages[0]['content'] }}").unwrap();
        let request = request(&[Message::text(Role::User, "{{ eos_token }}")]);
        assert_eq!(template.render(&request).unwrap(), "{{ eos_token }}");
    }

    #[test]
    fn a_wrong_template_says_where() {
        assert!(compile("{% for %}").unwrap_err().to_string().contains("chat:1"));
    }
}
