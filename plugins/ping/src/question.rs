//! A target as the host is asked about it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mhost_sdk::probe::{
    Ask, DnsAsk, HttpAsk, IcmpAsk, Question, TcpAsk, TcpStep, TlsAsk, TlsOptions,
};
use mhost_sdk::{Context, Error, Result};

use crate::config::{Certificate, Dns, Target, Tls, split_address};

/// What is kept of an answer that something is expected in, bytes.
const KEPT: u32 = 1 << 20;
/// So much is read of one that nothing is expected in: the end of the body is part of a
/// good answer, but not what is in it.
const GLANCE: u64 = 1 << 16;
/// What a port's answer is searched in, bytes.
const HEARD: u32 = 1 << 16;
/// A file with authorities is at most so large.
const LARGEST_CA: u64 = 1 << 20;

/// The question; `None` for what is not asked over the network.
pub fn ask(context: &Context, id: u32, target: &Target) -> Result<Option<Ask>> {
    let question = match target {
        Target {
            http: Some(url), ..
        } => Question::Http(http(context, target, url)?),
        Target { tcp: Some(to), .. } => Question::Tcp(tcp(context, target, to)?),
        Target { tls: Some(tls), .. } => Question::Tls(self::tls(context, tls)?),
        Target { dns: Some(dns), .. } => Question::Dns(self::dns(dns)),
        Target {
            icmp: Some(host), ..
        } => Question::Icmp(IcmpAsk {
            host: host.clone(),
            size: target.icmp_bytes,
        }),
        _ => return Ok(None),
    };
    let millis = target.timeout.duration().as_millis();
    Ok(Some(Ask {
        id,
        question,
        family: target.family.into(),
        timeout_ms: u32::try_from(millis).unwrap_or(u32::MAX).max(1),
        delay_ms: 0,
    }))
}

fn http(context: &Context, target: &Target, url: &str) -> Result<HttpAsk> {
    let mut headers = Vec::new();
    let own = |name: &str| {
        target
            .headers
            .keys()
            .any(|key| key.eq_ignore_ascii_case(name))
    };
    if !own("user-agent") {
        headers.push(("user-agent".to_owned(), "mhost-ping".to_owned()));
    }
    let given = target.headers.iter();
    headers.extend(given.map(|(name, value)| (name.clone(), value.clone())));
    if let Some(value) = authorization(context, target)? {
        headers.push(("authorization".to_owned(), value));
    }
    let keep = match target.looks_into_the_body() {
        true => KEPT,
        false => 0,
    };
    let glance = if keep > 0 { u64::from(KEPT) } else { GLANCE };
    Ok(HttpAsk {
        method: target.method.clone(),
        url: url.to_owned(),
        headers,
        body: target.body.clone().unwrap_or_default().into_bytes(),
        speak: target.http_version.into(),
        tls: options(context, &target.certificate)?,
        redirects: target.redirects,
        keep,
        read: target.max_body.map_or(glance, |size| size.bytes()),
    })
}

fn authorization(context: &Context, target: &Target) -> Result<Option<String>> {
    if let Some(name) = &target.bearer_secret {
        return Ok(Some(format!("Bearer {}", context.secret(name)?)));
    }
    let Some(basic) = &target.basic_auth else {
        return Ok(None);
    };
    let password = context.secret(&basic.password_secret)?;
    let both = STANDARD.encode(format!("{}:{password}", basic.user));
    Ok(Some(format!("Basic {both}")))
}

fn tcp(context: &Context, target: &Target, address: &str) -> Result<TcpAsk> {
    let (host, port) = split_address(address).unwrap_or((address, 0));
    let secured = target.secure || target.steps.iter().any(|step| step.start_tls);
    let tls = match secured {
        true => Some(options(context, &target.certificate)?),
        false => None,
    };
    let steps = target.steps.iter().map(|step| TcpStep {
        expect: step.expect.clone(),
        send: step.send.clone().map(String::into_bytes),
        start_tls: step.start_tls,
    });
    let awaited = target.expect_body.clone();
    Ok(TcpAsk {
        host: host.to_owned(),
        port,
        tls,
        from_start: target.secure,
        steps: steps.collect(),
        send: target.body.clone().map(String::into_bytes),
        listen: if target.looks_into_the_body() {
            HEARD
        } else {
            0
        },
        // A text that must not come can only be waited for to the end.
        until: awaited
            .filter(|_| target.expect_match.is_empty() && target.reject_match.is_empty())
            .map(String::into_bytes),
    })
}

fn tls(context: &Context, tls: &Tls) -> Result<TlsAsk> {
    let mut options = options(context, &tls.certificate())?;
    // Its verdict says more than a refused handshake would.
    options.trusted = false;
    Ok(TlsAsk {
        host: tls.host.clone(),
        port: tls.port,
        options,
    })
}

fn options(context: &Context, certificate: &Certificate) -> Result<TlsOptions> {
    let authorities = certificate.ca.as_deref().map(|path| {
        let bytes = context.files().read(path, LARGEST_CA)?;
        String::from_utf8(bytes).map_err(|_| Error::Invalid(format!("`{path}` is no PEM text")))
    });
    Ok(TlsOptions {
        server_name: certificate.server_name.clone(),
        trusted: certificate.trusted,
        authorities: authorities.transpose()?,
        tls13_only: certificate.tls13_only,
    })
}

fn dns(dns: &Dns) -> DnsAsk {
    DnsAsk {
        name: dns.name.clone(),
        kind: dns.record.0.clone(),
        server: dns.server.clone(),
        port: dns.port,
        tcp: dns.tcp,
        recursion: dns.recursion,
    }
}
