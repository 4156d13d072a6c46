//! Pictures and recordings of a conversation.
//!
//! Nodes get them as `data:` URLs and never fetch anything: a node that followed a caller's URL could be pointed at its
//! operator's own network. Whether the gateway fetches is its operator's choice, and off by default. Where it does, it
//! talks to public addresses only, checked after the name was resolved and for every address that is dialled, so that a
//! name that changes its mind between check and use gains nothing; it follows no redirects, and it bounds size and time.

mod fetch;
mod public;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use peerway_openapi::ApiError;
use peerway_openapi::chat::{ChatRequest, Content, ContentPart};

pub use fetch::Fetcher;
pub(crate) use fetch::{public_client, public_url};

/// Pictures and recordings of one request.
const MOST: usize = 32;
/// Bytes of the pictures of one request, in base64.
const MOST_BYTES: usize = 32 << 20;

/// Every picture and recording of a request is where nodes can read it, or the request is refused.
///
/// # Errors
/// `InvalidRequest` naming the part. `fetcher`: None where the operator does not let the gateway fetch.
pub async fn settle(request: &mut ChatRequest, fetcher: Option<&Fetcher>) -> Result<(), ApiError> {
    let media = request.messages.iter().map(|message| message.media().count()).sum::<usize>();
    if media > MOST {
        return Err(ApiError::invalid(
            "messages",
            format!("{media} pictures and recordings; at most {MOST} a request."),
        ));
    }
    let mut bytes = 0;
    for (place, message) in request.messages.iter_mut().enumerate() {
        let Some(Content::Parts(parts)) = &mut message.content else { continue };
        for (part, content) in parts.iter_mut().enumerate() {
            let field = || format!("messages[{place}].content[{part}]");
            let checked = match content {
                ContentPart::ImageUrl { image_url } => settle_image(&mut image_url.url, fetcher).await,
                ContentPart::InputAudio { input_audio } => {
                    check_base64(&input_audio.data).map_err(|why| (".data", why))
                }
                _ => continue,
            };
            let below = if matches!(content, ContentPart::ImageUrl { .. }) { ".image_url" } else { ".input_audio" };
            checked.map_err(|(last, why)| ApiError::invalid(format!("{}{below}{last}", field()), why))?;
            if let ContentPart::ImageUrl { image_url } = content {
                bytes += image_url.url.len();
            }
            if bytes > MOST_BYTES {
                let message = format!("The pictures have more than {MOST_BYTES} bytes together.");
                return Err(ApiError::invalid(field(), message));
            }
        }
    }
    Ok(())
}

async fn settle_image(url: &mut String, fetcher: Option<&Fetcher>) -> Result<(), (&'static str, String)> {
    let wrong = |why: String| (".url", why);
    if let Some(data) = url.strip_prefix("data:") {
        let (kind, encoded) = data
            .split_once(";base64,")
            .ok_or_else(|| wrong("A data URL here is `data:image/…;base64,` and the picture in base64.".to_owned()))?;
        if !is_picture(kind) {
            return Err(wrong("The data URL is of no picture: PNG, JPEG, WebP and GIF are read.".to_owned()));
        }
        return check_base64(encoded).map_err(wrong);
    }
    let Some(fetcher) = fetcher else {
        return Err(wrong("This gateway fetches nothing; send the picture as a data: URL.".to_owned()));
    };
    let fetched = fetcher.fetch(url).await.map_err(wrong)?;
    *url = fetched;
    Ok(())
}

fn check_base64(encoded: &str) -> Result<(), String> {
    match STANDARD.decode(encoded) {
        Ok(bytes) if !bytes.is_empty() => Ok(()),
        Ok(_) => Err("There is nothing in it.".to_owned()),
        Err(error) => Err(format!("It is not valid base64: {error}.")),
    }
}

fn is_picture(kind: &str) -> bool {
    ["image/png", "image/jpeg", "image/webp", "image/gif"].contains(&kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refused(url: &str, fetcher: Option<&Fetcher>) -> Option<String> {
        let mut request: ChatRequest = serde_json::from_value(serde_json::json!({
            "model": "m",
            "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}],
        }))
        .unwrap();
        let refused = settle(&mut request, fetcher).await.err()?;
        assert_eq!(refused.param(), Some("messages[0].content[0].image_url.url"), "{url}");
        Some(refused.message().to_owned())
    }

    #[tokio::test]
    async fn pictures_come_in_the_request() {
        assert_eq!(refused("data:image/png;base64,aGk=", None).await, None);
        for wrong in
            ["data:image/png,hi", "data:text/html;base64,aGk=", "data:image/png;base64,%%%", "https://a.example/x"]
        {
            assert!(refused(wrong, None).await.is_some(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn nothing_private_is_fetched() {
        let fetcher = Fetcher::new().unwrap();
        for wrong in [
            "http://1.1.1.1/x",
            "https://127.0.0.1/x",
            "https://[::1]/x",
            "https://0x7f000001/x",
            "https://169.254.169.254/latest",
            "https://1.1.1.1:8443/x",
            "https://user@1.1.1.1/x",
            "https://localhost/x",
            "file:///etc/passwd",
        ] {
            assert!(refused(wrong, Some(&fetcher)).await.is_some(), "{wrong}");
        }
    }
}
