//! What types alone cannot refuse.

use super::{CompletionRequest, Prompt};
use crate::chat::MAX_CHOICES;
use crate::{ApiError, relay, routing};

/// Prompts of one request. Each is an answer at least, so that it is the bound on answers.
const MAX_PROMPTS: usize = MAX_CHOICES as usize;
/// Likely tokens at one place, as OpenAI has it.
const MAX_LOGPROBS: u32 = 5;

impl CompletionRequest {
    /// Checks every bound that a documented field has.
    ///
    /// # Errors
    /// `InvalidRequest` with the path of the field at fault.
    pub fn validate(&self) -> Result<(), ApiError> {
        if self.model.is_empty() {
            return Err(ApiError::invalid("model", "Name a model; GET /v1/models lists them."));
        }
        self.validate_prompts()?;
        self.validate_shape()?;
        routing::validate(self.provider.as_ref(), self.models.as_deref())?;
        // How to sample is the same as in a chat request, under the same names.
        let settings = self.settings();
        settings.validate_sampling()?;
        settings.validate_stops()?;
        settings.validate_format()
    }

    fn validate_prompts(&self) -> Result<(), ApiError> {
        let prompts = &self.prompt.0;
        if prompts.is_empty() {
            return Err(ApiError::invalid("prompt", "Send at least one prompt, of at least one token."));
        }
        if prompts.len() > MAX_PROMPTS {
            let message = format!("{} prompts; at most {MAX_PROMPTS}.", prompts.len());
            return Err(ApiError::invalid("prompt", message));
        }
        match prompts.iter().position(|prompt| matches!(prompt, Prompt::Tokens(ids) if ids.is_empty())) {
            Some(place) => Err(ApiError::invalid(format!("prompt[{place}]"), "A list of token ids has at least one.")),
            None => Ok(()),
        }
    }

    fn validate_shape(&self) -> Result<(), ApiError> {
        let n = self.answers_each();
        if !(1..=MAX_CHOICES).contains(&n) {
            return Err(ApiError::invalid("n", format!("n is {n}; it must be 1 to {MAX_CHOICES}.")));
        }
        if self.choices() > MAX_CHOICES {
            let message = format!(
                "{} prompts with {n} answers each are {} answers; at most {MAX_CHOICES}.",
                self.prompt.0.len(),
                self.choices()
            );
            return Err(ApiError::invalid("n", message));
        }
        if self.best_of.is_some_and(|best_of| best_of != n) {
            let message = "`best_of` is not supported. Leave it out, or send as many as `n`: all answers are returned.";
            return Err(ApiError::invalid("best_of", message));
        }
        if self.suffix.is_some() {
            return Err(ApiError::invalid("suffix", "`suffix` is not supported. No node fills in between two texts."));
        }
        if self.peerway.is_some() {
            return Err(ApiError::invalid(
                relay::FIELD,
                "`peerway` is not supported. It is what gateways say to nodes.",
            ));
        }
        if self.max_tokens == Some(0) {
            return Err(ApiError::invalid("max_tokens", "Ask for at least one token."));
        }
        if self.logprobs.is_some_and(|top| top > MAX_LOGPROBS) {
            return Err(ApiError::invalid("logprobs", format!("logprobs is 0 to {MAX_LOGPROBS}.")));
        }
        if self.logprobs.is_some() && self.is_echo() {
            let message = "Log probabilities of a prompt are not computed; send `echo` or `logprobs`.";
            return Err(ApiError::invalid("logprobs", message));
        }
        if self.stream_options.is_some() && !self.is_stream() {
            return Err(ApiError::invalid("stream_options", "stream_options needs stream: true."));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: &str) -> Option<String> {
        let mut body = serde_json::json!({"model": "m", "prompt": "Once"});
        let change: serde_json::Map<String, serde_json::Value> = serde_json::from_str(change).unwrap();
        body.as_object_mut().unwrap().extend(change);
        let request: CompletionRequest = serde_json::from_value(body).unwrap();
        request.validate().err().and_then(|error| error.param().map(str::to_owned))
    }

    #[test]
    fn bounds_are_kept_and_named() {
        let cases = [
            (r#"{"model":""}"#, "model"),
            (r#"{"prompt":[]}"#, "prompt"),
            (r#"{"prompt":[[1],[]]}"#, "prompt[1]"),
            (r#"{"n":0}"#, "n"),
            (r#"{"n":129}"#, "n"),
            (r#"{"prompt":["a","b"],"n":65}"#, "n"),
            (r#"{"best_of":2}"#, "best_of"),
            (r#"{"n":2,"best_of":1}"#, "best_of"),
            (r#"{"suffix":"."}"#, "suffix"),
            (r#"{"max_tokens":0}"#, "max_tokens"),
            (r#"{"logprobs":6}"#, "logprobs"),
            (r#"{"logprobs":0,"echo":true}"#, "logprobs"),
            (r#"{"stream_options":{}}"#, "stream_options"),
            (r#"{"stop":["a",""]}"#, "stop[1]"),
            (r#"{"temperature":2.1}"#, "temperature"),
            (r#"{"top_p":0}"#, "top_p"),
            (r#"{"top_k":0}"#, "top_k"),
            (r#"{"min_p":2}"#, "min_p"),
            (r#"{"repetition_penalty":0}"#, "repetition_penalty"),
            (r#"{"frequency_penalty":-3}"#, "frequency_penalty"),
            (r#"{"presence_penalty":3}"#, "presence_penalty"),
            (r#"{"logit_bias":{"x":1}}"#, "logit_bias.x"),
            (r#"{"response_format":{"type":"regex","regex":""}}"#, "response_format.regex"),
        ];
        for (change, field) in cases {
            assert_eq!(refused(change).as_deref(), Some(field), "{change}");
        }
    }

    #[test]
    fn prompts_have_a_bound() {
        let of = |prompts: usize| serde_json::json!({"prompt": vec!["a"; prompts]}).to_string();
        assert_eq!(refused(&of(128)), None);
        assert_eq!(refused(&of(129)).as_deref(), Some("prompt"));
    }

    #[test]
    fn what_clients_send_by_habit_is_accepted() {
        let habits = [
            r#"{"prompt":"","suffix":null,"best_of":null,"user":"x","logit_bias":null,"stop":null}"#,
            r#"{"n":2,"best_of":2,"echo":true,"stream":true,"stream_options":{"include_usage":true}}"#,
            r#"{"prompt":["a","b"],"n":64,"best_of":64,"logprobs":5,"echo":false}"#,
            r#"{"response_format":{"type":"grammar","grammar":"start: \"a\""},"seed":-1,"stop":"x"}"#,
        ];
        for habit in habits {
            assert_eq!(refused(habit), None, "{habit}");
        }
    }

    #[test]
    fn settings_say_all_but_the_prompts() {
        let body = r#"{"model":"m","prompt":"a","logprobs":0,"n":3,"top_k":7,"stop":"x"}"#;
        let settings = serde_json::from_str::<CompletionRequest>(body).unwrap().settings();
        let said = serde_json::to_value(settings).unwrap();
        let expected = serde_json::json!({
            "model": "m", "messages": [], "max_tokens": 16, "n": 3, "top_k": 7, "stop": ["x"],
            "logprobs": true, "top_logprobs": 0
        });
        assert_eq!(said, expected);
    }
}
