//! How services are reached: clients, logins, patience.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mhost_model::{FaultResult, Name};
use opendal::layers::{RetryLayer, TimeoutLayer};
use opendal::services::{Memory, S3, Webdav};
use opendal::{HttpTransporter, OperationContext, Operator};
use opendal_http_transport_reqwest::ReqwestTransport;
use reqwest::Client;

use super::upload::Put;
use super::{Service, fault};
use crate::Login;
use crate::url::{Bucket, Site};
use crate::worker::{FIRST_WAIT, LONGEST_WAIT, RETRIES, Worker};

/// One request without a body.
const REQUEST: Duration = Duration::from_secs(60);
/// One piece of at most some MiB, over a slow line.
const PIECE: Duration = Duration::from_secs(600);

/// The stores in memory, by name; they live as long as the process.
static MEMORIES: Mutex<BTreeMap<Name, Operator>> = Mutex::new(BTreeMap::new());

impl Service {
    /// The store in memory of this name, empty when it is asked for first.
    pub fn memory(name: &Name, worker: Arc<Worker>) -> FaultResult<Self> {
        let mut memories = MEMORIES.lock().unwrap_or_else(PoisonError::into_inner);
        let operator = match memories.get(name) {
            Some(operator) => operator.clone(),
            None => {
                let made = Operator::new(Memory::default())
                    .map_err(|error| fault("open", name.as_str(), error))?;
                memories.insert(name.clone(), made.clone());
                made
            }
        };
        Ok(Self {
            operator,
            worker,
            put: None,
        })
    }

    /// A bucket. Without a login, the usual places are looked at: `AWS_ACCESS_KEY_ID` and its
    /// kin, the user's AWS profile, the machine's role.
    pub fn s3(
        client: Client,
        bucket: &Bucket,
        region: Option<&str>,
        login: Option<&Login>,
        worker: Arc<Worker>,
    ) -> FaultResult<Self> {
        let mut s3 = S3::default()
            .endpoint(&bucket.endpoint)
            .bucket(&bucket.name)
            .root(&format!("/{}", bucket.folder))
            .region(region.unwrap_or("us-east-1"));
        if let Some(login) = login {
            s3 = s3
                .access_key_id(&login.user)
                .secret_access_key(&login.secret)
                .disable_config_load()
                .disable_ec2_metadata();
        }
        let operator = Operator::new(s3).map_err(|error| fault("open", &bucket.name, error))?;
        Ok(Self {
            operator: patient(operator, client),
            worker,
            put: None,
        })
    }

    /// A folder of a WebDAV server.
    pub fn webdav(
        client: Client,
        site: &Site,
        login: Option<&Login>,
        worker: Arc<Worker>,
    ) -> FaultResult<Self> {
        let mut webdav = Webdav::default().endpoint(site.url.as_str());
        if let Some(login) = login {
            webdav = webdav.username(&login.user).password(&login.secret);
        }
        let operator = Operator::new(webdav).map_err(|error| fault("open", "", error))?;
        Ok(Self {
            operator: patient(operator, client.clone()),
            worker,
            put: Some(Put::new(client, site.clone(), login.cloned())),
        })
    }
}

/// Time-outs, and retries of what may pass.
fn patient(operator: Operator, client: Client) -> Operator {
    let transport = HttpTransporter::new(ReqwestTransport::new(client));
    let timeout = TimeoutLayer::new()
        .with_timeout(REQUEST)
        .with_io_timeout(PIECE);
    let retry = RetryLayer::new()
        .with_jitter()
        .with_min_delay(FIRST_WAIT)
        .with_max_delay(LONGEST_WAIT)
        .with_max_times(RETRIES);
    operator
        .with_context(OperationContext::new().with_http_transport(transport))
        .layer(timeout)
        .layer(retry)
}
