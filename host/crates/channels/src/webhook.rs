//! A bundle as an HTTP request.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use mhost_model::channel::{Body, Preset, Webhook};

use crate::bundle::Bundle;
use crate::http::{Post, post};
use crate::masks::Keyring;
use crate::{Delivered, Failure, render, template};

pub async fn send(webhook: &Webhook, bundle: &Bundle, keyring: &Keyring) -> Delivered {
    let url = keyring.url(&webhook.url).await?;
    let mut headers = HeaderMap::new();
    for (name, value) in &webhook.headers {
        headers.insert(
            header(HeaderName::try_from(name))?,
            header(HeaderValue::try_from(value))?,
        );
    }
    // The receiver can tell a message that it has seen.
    headers.insert(
        "idempotency-key",
        header(HeaderValue::try_from(bundle.id()))?,
    );
    if let Some(token) = &webhook.token {
        let token = keyring.read(token).await?;
        let mut value = header(HeaderValue::try_from(format!("Bearer {token}")))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    let (url, content_type, body) = match &webhook.body {
        Body::Preset(Preset::Json) => (url, JSON, render::json(bundle)),
        Body::Preset(Preset::Slack) => (url, JSON, render::slack(bundle)),
        Body::Preset(Preset::Alertmanager) => (url, JSON, render::alertmanager(bundle)),
        Body::Preset(Preset::Ntfy) => {
            let (server, body) = render::ntfy(&url, bundle).map_err(Failure::new)?;
            (server, JSON, body)
        }
        Body::Template { text, content_type } => {
            let said = template::render(text, content_type, &render::context(bundle));
            let said = said.map_err(|why| Failure::new(format!("the template: {why}")))?;
            (url, content_type.as_str(), said.into_bytes())
        }
    };
    let request = Post {
        url,
        headers,
        content_type: content_type.to_owned(),
        body,
        ca: webhook.ca.clone(),
    };
    post(request, keyring).await
}

const JSON: &str = "application/json";

fn header<T>(header: Result<T, impl std::fmt::Display>) -> Result<T, Failure> {
    header.map_err(|error| Failure::new(format!("a header cannot be sent: {error}")))
}
