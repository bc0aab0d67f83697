//! What makes no sense in a target, beyond what the schema can say: found before anything
//! is asked, as a mistake of the configuration is no outage.

use std::net::Ipv6Addr;
use std::time::Duration;

use regex_lite::Regex;

use super::target::{any_success, small, split_address, ten_seconds};
use super::{Certificate, HttpVersion, IpFamily, Kind, Target};
use crate::verdict::json_path;

/// What `expect_version` can name, as an answer's `version` says it.
const VERSIONS: [&str; 4] = ["HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "HTTP/3.0"];
/// What a peer and a wait may take.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(3600);

impl Target {
    /// Why it makes no sense, beyond what the schema can say.
    pub fn mistake(&self) -> Option<String> {
        let kinds = [
            self.http.is_some(),
            self.tcp.is_some(),
            self.tls.is_some(),
            self.dns.is_some(),
            self.icmp.is_some(),
            self.file.is_some(),
            self.disk.is_some(),
            self.process.is_some(),
            self.database.is_some(),
            self.task.is_some(),
        ];
        if kinds.iter().filter(|kind| **kind).count() != 1 {
            return Some(
                "it needs exactly one of `http`, `tcp`, `tls`, `dns`, `icmp`, `file`, `disk`, `process`, `database`, `task`"
                    .to_owned(),
            );
        }
        let own = match self.kind() {
            Kind::Http => self.http_mistake(),
            Kind::Tcp => self.tcp_mistake(),
            _ => self.local_mistake(),
        };
        let whole = || self.bad_length().or_else(|| self.bad_pattern());
        self.misplaced().or(own).or_else(whole)
    }

    /// A setting that means nothing to this kind of target.
    fn misplaced(&self) -> Option<String> {
        let http = self.http.is_some();
        let tcp = self.tcp.is_some();
        let icmp = self.icmp.is_some();
        let network = self.kind() != Kind::Local;
        let secured = self.secure || self.steps.iter().any(|step| step.start_tls);
        let tls = http || (tcp && secured);
        let fields = [
            ("method", http, self.method != "GET"),
            ("headers", http, !self.headers.is_empty()),
            ("expect_status", http, self.expect_status != any_success()),
            ("bearer_secret", http, self.bearer_secret.is_some()),
            ("basic_auth", http, self.basic_auth.is_some()),
            ("expect_json", http, !self.expect_json.is_empty()),
            ("expect_header", http, !self.expect_header.is_empty()),
            ("reject_header", http, !self.reject_header.is_empty()),
            ("http_version", http, self.http_version != HttpVersion::Any),
            ("expect_version", http, !self.expect_version.is_empty()),
            ("redirects", http, self.redirects > 0),
            ("expect_tls", http, self.expect_tls.is_some()),
            ("max_body", http, self.max_body.is_some()),
            ("body", http || tcp, self.body.is_some()),
            ("expect_body", http || tcp, self.expect_body.is_some()),
            ("expect_match", http || tcp, !self.expect_match.is_empty()),
            ("reject_match", http || tcp, !self.reject_match.is_empty()),
            (
                "certificate",
                tls,
                self.certificate != Certificate::default(),
            ),
            ("secure", tcp, self.secure),
            ("steps", tcp, !self.steps.is_empty()),
            ("icmp_bytes", icmp, self.icmp_bytes != small()),
            ("family", network, self.family != IpFamily::Any),
            ("timeout", network, self.timeout != ten_seconds()),
            // What is looked at on this machine does not change by itself while it is looked at.
            ("retries", network, self.retries > 0),
            ("retry_delay", network, self.retry_delay.is_some()),
            ("warn_ms", network, self.warn_ms.is_some()),
            ("fail_ms", network, self.fail_ms.is_some()),
        ];
        let found = fields.into_iter().find(|(_, fits, there)| *there && !fits);
        found.map(|(field, ..)| match field {
            "certificate" if tcp => "`certificate` means nothing without TLS: say `secure`, or `start_tls` in a step, or leave it out".to_owned(),
            _ => format!("`{field}` has no meaning for this kind of target: leave it out"),
        })
    }

    fn http_mistake(&self) -> Option<String> {
        if let Some(why) = url_mistake(self.http.as_deref().unwrap_or_default()) {
            return Some(why.to_owned());
        }
        if let Some(why) = self.bad_header() {
            return Some(why);
        }
        if self.method.is_empty() || !self.method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Some(format!(
                "`{}` is no method: write `GET`, `HEAD`, `POST` …",
                self.method
            ));
        }
        if self.method == "HEAD" && self.looks_into_the_body() {
            return Some("an answer to `HEAD` has no body to expect something in".to_owned());
        }
        let known = |version: &&String| VERSIONS.contains(&version.as_str());
        if let Some(version) = self.expect_version.iter().find(|version| !known(version)) {
            let versions = VERSIONS.join("`, `");
            return Some(format!("`{version}` is no version: write `{versions}`"));
        }
        if self.bearer_secret.is_some() && self.basic_auth.is_some() {
            return Some("`bearer_secret` and `basic_auth` exclude each other".to_owned());
        }
        self.expect_status
            .is_empty()
            .then(|| "`expect_status` is empty, so nothing could be right".to_owned())
    }

    fn tcp_mistake(&self) -> Option<String> {
        let address = self.tcp.as_deref().unwrap_or_default();
        if split_address(address).is_none() {
            return Some(format!("`{address}` is no `host:port`"));
        }
        let whole = self.body.is_some() || self.looks_into_the_body();
        (whole && !self.steps.is_empty())
            .then(|| "`steps` stand in place of `body` and what is expected of it".to_owned())
    }

    /// A header that cannot be sent.
    fn bad_header(&self) -> Option<String> {
        let named = |name: &String| {
            let token =
                |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            !name.is_empty() && name.bytes().all(token)
        };
        let names = self.headers.keys().chain(self.expect_header.keys());
        if let Some(name) = names
            .chain(self.reject_header.keys())
            .find(|name| !named(name))
        {
            let shown: String = name.escape_debug().take(60).collect();
            return Some(format!("`{shown}` is no header's name"));
        }
        let plain = |value: &String| !value.chars().any(|c| c.is_control() && c != '\t');
        let mut given = self.headers.iter();
        let (name, _) = given.find(|(_, value)| !plain(value))?;
        Some(format!("the header `{name}` must be one line"))
    }

    fn bad_length(&self) -> Option<String> {
        let timeout = self.timeout.duration();
        if timeout < SHORTEST || timeout > LONGEST {
            return Some(format!(
                "`timeout` is {}: write a time from 1ms to 1h",
                self.timeout
            ));
        }
        let delay = self.retry_delay.map(|delay| delay.duration());
        if delay.is_some_and(|delay| delay > LONGEST) {
            return Some("`retry_delay` is longer than 1h".to_owned());
        }
        (self.retries > 10).then(|| "`retries` is a number from 0 to 10".to_owned())
    }

    fn local_mistake(&self) -> Option<String> {
        let port = self.tls.as_ref().map(|tls| ("tls", tls.port));
        let port = port.or(self.dns.as_ref().map(|dns| ("dns", dns.port)));
        if let Some((kind, 0)) = port {
            return Some(format!(
                "the `port` of `{kind}` is a number from 1 to 65535"
            ));
        }
        let host = self
            .tls
            .as_ref()
            .map(|tls| ("`tls` needs a `host`", &tls.host));
        let host = host.or(self.icmp.as_ref().map(|host| ("`icmp` needs a host", host)));
        if let Some((why, _)) = host.filter(|(_, host)| !is_host(host)) {
            return Some(format!("{why}, a name or an address"));
        }
        if self.dns.as_ref().is_some_and(|dns| dns.name.is_empty()) {
            return Some("`dns` needs a `name`".to_owned());
        }
        if let Some(dns) = &self.dns
            && dns.server.is_none()
            && (dns.tcp || !dns.rcodes.is_empty() || !dns.recursion)
        {
            return Some("`tcp`, `recursion` and `rcodes` need a `server`".to_owned());
        }
        let disk = self.disk.as_ref()?;
        let limits = [
            disk.min_free.is_some(),
            disk.min_free_percent.is_some(),
            disk.warn_free.is_some(),
            disk.warn_free_percent.is_some(),
        ];
        (!limits.contains(&true))
            .then(|| "`disk` needs a limit, such as `min_free_percent`".to_owned())
    }

    fn bad_pattern(&self) -> Option<String> {
        let dns = self.dns.iter();
        let sections = dns.flat_map(|dns| [&dns.answer, &dns.authority, &dns.additional]);
        let steps = self.steps.iter().filter_map(|step| step.expect.as_ref());
        let json = self.expect_json.iter();
        let patterns = (self.expect_match.iter().chain(&self.reject_match))
            .chain(self.expect_header.values())
            .chain(self.reject_header.values())
            .chain(json.clone().filter_map(|rule| rule.matches.as_ref()))
            .chain(steps)
            .chain(sections.flat_map(|rules| rules.patterns()));
        for pattern in patterns {
            if let Err(error) = Regex::new(pattern) {
                return Some(format!("`{pattern}` is no regular expression: {error}"));
            }
        }
        json.clone()
            .find_map(|rule| json_path::parse(&rule.path).err())
    }
}

/// Why it is no address of a web server, without repeating it: it may hold a password.
fn url_mistake(url: &str) -> Option<&'static str> {
    let rest = url.strip_prefix("http://").or(url.strip_prefix("https://"));
    let Some(rest) = rest else {
        return Some("`http` must begin with `http://` or `https://`");
    };
    if url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Some("`http` holds a space or a line end: write them as `%20`, `%0A`");
    }
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let authority = &rest[..end];
    if authority.contains('@') {
        return Some(
            "`http` holds a user or a password: say `basic_auth = { user, password_secret }`",
        );
    }
    let (host, port) = match authority.rfind(']') {
        Some(at) => authority.split_at(at + 1),
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port = port.strip_prefix(':').unwrap_or(port);
    if !port.is_empty() && !port.parse::<u16>().is_ok_and(|port| port > 0) {
        return Some("the port in `http` is a number from 1 to 65535");
    }
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let fits = match bare {
        Some(bare) => bare.parse::<Ipv6Addr>().is_ok(),
        None => is_host(host) && !host.contains(':'),
    };
    (!fits).then_some("`http` names no host")
}

/// Whether it may be a name or an address: also a name in letters beyond ASCII.
fn is_host(text: &str) -> bool {
    let odd = |c: char| c.is_control() || c.is_whitespace() || "/?#@[]<>^|%\\\"`{}".contains(c);
    let address = text.parse::<Ipv6Addr>().is_ok();
    address || (!text.is_empty() && text.len() <= 253 && !text.contains(odd) && !text.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_web_servers() {
        for good in [
            "http://a",
            "https://a.example:8443/x?y=z#f",
            "http://[::1]:80/",
            "http://192.0.2.1/",
            "http://bücher.example/",
            "http://a/@x",
            "http://a?mail=x@y",
            "http://a:",
        ] {
            assert_eq!(url_mistake(good), None, "{good}");
        }
        for (bad, why) in [
            ("a", "must begin"),
            ("ftp://a", "must begin"),
            ("http://", "no host"),
            ("http://[", "no host"),
            ("http://[::1", "port"),
            ("http://[x]/", "no host"),
            ("http://a:0/", "port"),
            ("http://a:99999/", "port"),
            ("http://a:x/", "port"),
            ("http://a b/", "space"),
            ("http://a/\n", "space"),
            ("http://u:pass@a/", "password"),
            ("http://u@a?x", "password"),
            ("https://u:p@a\\@b/", "password"),
        ] {
            let found = url_mistake(bad).unwrap_or_default();
            assert!(
                found.contains(why) && !found.contains("pass@"),
                "{bad}: {found}"
            );
        }
    }
}
