//! The file as blackbox_exporter reads it. Keys that are not named here are gathered, so
//! that each can be said to have no counterpart.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// Keys that nothing here knows.
pub type Rest = BTreeMap<String, Value>;

#[derive(Debug, Deserialize)]
pub struct File {
    #[serde(default)]
    pub modules: BTreeMap<String, Module>,
}

#[derive(Debug, Deserialize)]
pub struct Module {
    pub prober: String,
    #[serde(default)]
    pub timeout: Option<String>,
    #[serde(default)]
    pub http: Http,
    #[serde(default)]
    pub tcp: Tcp,
    #[serde(default)]
    pub dns: Dns,
    #[serde(default)]
    pub icmp: Icmp,
    #[serde(flatten)]
    pub rest: Rest,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Http {
    pub valid_status_codes: Vec<u16>,
    pub valid_http_versions: Vec<String>,
    pub method: Option<String>,
    pub headers: BTreeMap<String, Value>,
    pub body: Option<String>,
    pub body_size_limit: Option<Value>,
    pub follow_redirects: Option<bool>,
    pub no_follow_redirects: Option<bool>,
    pub fail_if_ssl: bool,
    pub fail_if_not_ssl: bool,
    pub fail_if_body_matches_regexp: Vec<String>,
    pub fail_if_body_not_matches_regexp: Vec<String>,
    pub fail_if_header_matches: Vec<HeaderRule>,
    pub fail_if_header_not_matches: Vec<HeaderRule>,
    pub tls_config: Option<TlsConfig>,
    pub basic_auth: Option<BasicAuth>,
    pub bearer_token: Option<String>,
    pub bearer_token_file: Option<String>,
    pub authorization: Option<Authorization>,
    pub preferred_ip_protocol: Option<String>,
    pub ip_protocol_fallback: Option<bool>,
    pub enable_http2: Option<bool>,
    #[serde(flatten)]
    pub rest: Rest,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct HeaderRule {
    pub header: String,
    pub regexp: String,
    pub allow_missing: bool,
    #[serde(flatten)]
    pub rest: Rest,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct TlsConfig {
    pub insecure_skip_verify: bool,
    pub server_name: Option<String>,
    pub ca_file: Option<String>,
    pub min_version: Option<String>,
    #[serde(flatten)]
    pub rest: Rest,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct BasicAuth {
    pub username: String,
    pub password: Option<String>,
    pub password_file: Option<String>,
    #[serde(flatten)]
    pub rest: Rest,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Authorization {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub credentials: Option<String>,
    pub credentials_file: Option<String>,
    #[serde(flatten)]
    pub rest: Rest,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Tcp {
    pub query_response: Vec<Step>,
    pub tls: bool,
    pub tls_config: Option<TlsConfig>,
    pub preferred_ip_protocol: Option<String>,
    pub ip_protocol_fallback: Option<bool>,
    #[serde(flatten)]
    pub rest: Rest,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Step {
    pub expect: Option<String>,
    pub send: Option<String>,
    pub starttls: bool,
    #[serde(flatten)]
    pub rest: Rest,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Dns {
    pub query_name: String,
    pub query_type: Option<String>,
    pub query_class: Option<String>,
    pub transport_protocol: Option<String>,
    pub recursion_desired: Option<bool>,
    pub valid_rcodes: Option<Vec<String>>,
    pub validate_answer_rrs: Records,
    pub validate_authority_rrs: Records,
    pub validate_additional_rrs: Records,
    pub preferred_ip_protocol: Option<String>,
    pub ip_protocol_fallback: Option<bool>,
    #[serde(flatten)]
    pub rest: Rest,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Records {
    pub fail_if_matches_regexp: Vec<String>,
    pub fail_if_all_match_regexp: Vec<String>,
    pub fail_if_not_matches_regexp: Vec<String>,
    pub fail_if_none_matches_regexp: Vec<String>,
    #[serde(flatten)]
    pub rest: Rest,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Icmp {
    pub payload_size: Option<u32>,
    pub preferred_ip_protocol: Option<String>,
    pub ip_protocol_fallback: Option<bool>,
    #[serde(flatten)]
    pub rest: Rest,
}
