//! A bundle as a mail.

use std::net::SocketAddr;
use std::time::Duration;

use mail_builder::MessageBuilder;
use mail_builder::headers::raw::Raw;
use mail_send::smtp::message::Message;
use mail_send::{Credentials, Error, SmtpClient, SmtpClientBuilder};
use mhost_model::Instant;
use mhost_model::channel::{Smtp, SmtpTls};
use mhost_model::notify::clipped;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use crate::bundle::Bundle;
use crate::masks::Keyring;
use crate::{Delivered, Failure, dial, http, trust};

/// How long one answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is shown of a server's answer, bytes.
const SHOWN: usize = 500;
/// The longest subject, bytes.
const SUBJECT: usize = 250;

/// An address, perhaps with a name before it: `mhost <mhost@example.org>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    pub name: String,
    pub address: String,
}

/// What mail servers take everywhere: no quoted local parts, no comments.
pub fn mailbox(text: &str) -> Result<Mailbox, String> {
    let (name, address) = match text.strip_suffix('>').and_then(|text| text.split_once('<')) {
        Some((name, address)) => (name.trim(), address),
        None => ("", text.trim()),
    };
    let (local, domain) = address.rsplit_once('@').ok_or("there is no `@`")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    if local.is_empty() || local.len() > 64 || !local.chars().all(plain) {
        return Err("what stands before the `@` is no mailbox".into());
    }
    if !http::is_host(domain) {
        return Err("what stands behind the `@` is no host".into());
    }
    if name.contains(|c: char| c.is_control() || "<>\"".contains(c)) {
        return Err("the name holds characters that have a meaning in mails".into());
    }
    Ok(Mailbox {
        name: name.to_owned(),
        address: address.to_owned(),
    })
}

pub async fn send(smtp: &Smtp, bundle: &Bundle, keyring: &Keyring, now: Instant) -> Delivered {
    let mail = mail(smtp, bundle, now).map_err(Failure::new)?;
    let credentials = match &smtp.login {
        Some(login) => Some(Credentials::Plain {
            username: login.user.clone(),
            secret: keyring.read(&login.password).await?,
        }),
        None => None,
    };
    let connector = TlsConnector::from(trust::config(smtp.ca.as_deref())?);
    let place = format!("{}:{}", smtp.host, smtp.port);
    let mut failure = Failure::new(format!("{place}: the name has no address"));
    for address in dial::addresses(&smtp.host, smtp.port).await? {
        let server = server(
            smtp,
            bundle,
            address,
            connector.clone(),
            credentials.clone(),
        );
        match talk(&server, smtp.tls, mail.clone()).await {
            Ok(()) => return Ok(()),
            Err(error) => {
                let why = keyring.quoted(&error.to_string(), SHOWN);
                failure = Failure::new(format!("{place}: {why}"));
                // Whoever answered answers for all its addresses.
                if !matches!(error, Error::Io(_) | Error::Timeout) {
                    break;
                }
            }
        }
    }
    Err(failure)
}

fn server(
    smtp: &Smtp,
    bundle: &Bundle,
    address: SocketAddr,
    connector: TlsConnector,
    credentials: Option<Credentials<String>>,
) -> SmtpClientBuilder<String> {
    SmtpClientBuilder {
        timeout: PATIENCE,
        tls_connector: connector,
        tls_hostname: smtp.host.clone(),
        tls_implicit: smtp.tls == SmtpTls::Implicit,
        credentials,
        // The address that was checked, whatever the name leads to by now.
        addr: address.to_string(),
        is_lmtp: false,
        say_ehlo: true,
        local_host: host(&bundle.machine).to_owned(),
        local_ip: None,
    }
}

async fn talk(
    server: &SmtpClientBuilder<String>,
    tls: SmtpTls,
    mail: Message<'_>,
) -> mail_send::Result<()> {
    match tls {
        SmtpTls::None => say(server.connect_plain().await?, mail).await,
        SmtpTls::Starttls | SmtpTls::Implicit => say(server.connect().await?, mail).await,
    }
}

async fn say<S>(mut client: SmtpClient<S>, mail: Message<'_>) -> mail_send::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    client.send(mail).await?;
    // It is delivered; whether the farewell is heard does not matter.
    let _ = client.quit().await;
    Ok(())
}

/// The machine's name, where it can stand in a mail.
fn host(machine: &str) -> &str {
    match http::is_host(machine) {
        true => machine,
        false => "localhost",
    }
}

fn mail(smtp: &Smtp, bundle: &Bundle, now: Instant) -> Result<Message<'static>, String> {
    let subject = format!("[mhost {}] {}", bundle.machine, bundle.title());
    let subject = subject
        .split(char::is_control)
        .collect::<Vec<_>>()
        .join(" ");
    let from = mailbox(&smtp.from)?;
    let to: Vec<Mailbox> = smtp
        .to
        .iter()
        .map(|to| mailbox(to))
        .collect::<Result<_, _>>()?;
    let pair = |one: &Mailbox| (one.name.clone(), one.address.clone());
    let mut mail = MessageBuilder::new()
        .from(pair(&from))
        .to(to.iter().map(pair).collect::<Vec<_>>())
        .subject(clipped(subject, SUBJECT))
        .date(now.timestamp())
        .message_id(format!("mhost.{}@{}", bundle.id(), host(&bundle.machine)))
        // RFC 3834: nobody's vacation shall answer.
        .header("Auto-Submitted", Raw::new("auto-generated"))
        .text_body(bundle.text());
    for file in bundle.items.iter().flat_map(|item| &item.files) {
        mail = mail.attachment(
            media_type(&file.media_type),
            file.name.clone(),
            file.content.clone(),
        );
    }
    let body = mail.write_to_vec();
    let body = body.map_err(|error| format!("the mail cannot be written: {error}"))?;
    Ok(Message {
        mail_from: from.address.into(),
        rcpt_to: to.into_iter().map(|to| to.address.into()).collect(),
        body: body.into(),
    })
}

/// A type that can stand in a header.
fn media_type(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/+-._".contains(&b);
    match !text.is_empty() && text.bytes().all(plain) && text.matches('/').count() == 1 {
        true => text.to_owned(),
        false => "application/octet-stream".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use mhost_model::alert::Attachment as File;
    use mhost_model::notify::EventKind;

    use super::*;
    use crate::bundle::tests_support::{bundle, event};

    #[test]
    fn mailboxes() {
        let good = |text: &str| mailbox(text).unwrap();
        assert_eq!(good("a.b+c@example.org").address, "a.b+c@example.org");
        assert_eq!(
            good("Night Watch <n@[::1]>".replace("[::1]", "h").as_str()).name,
            "Night Watch"
        );
        for bad in [
            "",
            "nobody",
            "@x",
            "a@",
            "a b@x",
            "a@x\r\nRCPT TO:<b@c>",
            "a@x>",
            "<a@x",
            "\"q\" <a@x>",
            "a@x y",
            "a@x, b@y",
        ] {
            assert!(mailbox(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_mail_says_it_all() {
        let smtp = Smtp {
            host: "h".into(),
            port: 25,
            tls: SmtpTls::None,
            login: None,
            from: "mhost <m@example.org>".into(),
            to: vec!["a@example.org".into(), "b@example.org".into()],
            ca: None,
        };
        let mut bundle = bundle(vec![event(EventKind::Failed, "site\r\nBcc: x@y failed")]);
        bundle.items[0].files.push(File {
            name: "web.log".into(),
            media_type: "text/plain\r\nX: y".into(),
            content: b"hello".to_vec(),
        });
        let now = "2026-12-01T02:00:00Z".parse().unwrap();
        let mail = mail(&smtp, &bundle, now).unwrap();
        let text = String::from_utf8(mail.body.to_vec()).unwrap();
        for line in [
            "Subject: [mhost box] site  Bcc: x@y failed\r\n",
            "Date: Tue, 1 Dec 2026 02:00:00 +0000\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Message-ID: <mhost.1.1796090400000.ops@box>\r\n",
            "web.log",
            "application/octet-stream",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            !head.contains("\r\nBcc:") && !text.contains("\r\nX:"),
            "{text}"
        );
        assert_eq!(mail.rcpt_to.len(), 2);
    }
}
