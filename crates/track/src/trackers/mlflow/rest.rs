//! Questions to a server, each with a bound on its time.

use std::time::Duration;

use serde_json::Value;
use ureq::http::{Response, Uri};
use ureq::{Agent, Body};

use crate::TrackError;
use crate::trackers::failed;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a whole question may take.
const QUESTION: Duration = Duration::from_secs(10);
/// Bytes of an answer at most.
const MOST: u64 = 64 << 20;
/// Characters of an answer that an error shows.
const SHOWN: usize = 300;

/// An MLflow server.
pub(super) struct Rest {
    address: String,
    agent: Agent,
}

/// What a server says to a question.
#[derive(Debug)]
pub(super) enum Answer {
    /// What was asked for.
    Found(Value),
    /// There is no such thing.
    Missing,
    /// What was asked is not possible, and will not be.
    Refused(String),
}

/// Why `url` is no address of a server.
pub(in crate::trackers) fn address_problem(url: &str) -> Option<String> {
    const FORM: &str = "write one as in \"http://127.0.0.1:5000\"";
    let uri = match url.parse::<Uri>() {
        Ok(uri) => uri,
        Err(error) => return Some(format!("{url:?} is no address ({error}); {FORM}")),
    };
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => {
            return Some(format!(
                "{url:?}: HTTPS is not built in; {FORM}, such as that of a tunnel (`ssh -L 5000:localhost:5000 HOST`)"
            ));
        }
        Some(_) | None => return Some(format!("{url:?} is no HTTP address; {FORM}")),
    }
    let host = uri.authority().map_or("", |authority| authority.as_str());
    if host.contains('@') {
        return Some(format!(
            "an address with a name or a password would be kept in the run's config; {FORM}"
        ));
    }
    let bare = uri.query().is_none()
        && !url.contains('#')
        && uri.host().is_some_and(|host| !host.is_empty());
    let port = host.strip_prefix(uri.host().unwrap_or_default());
    // A port that is none is passed over by the type of addresses, and another server would be asked.
    let named = port.is_none_or(str::is_empty) || uri.port_u16().is_some_and(|port| port > 0);
    if !named {
        return Some(format!(
            "{url:?}: a port is a number from 1 to 65535; {FORM}"
        ));
    }
    (!bare).then(|| format!("{url:?} is no address of a server; {FORM}"))
}

impl Rest {
    pub(super) fn new(address: &str) -> Self {
        let agent = Agent::config_builder()
            .timeout_global(Some(QUESTION))
            .timeout_connect(Some(CONNECT))
            .http_status_as_error(false)
            .max_redirects(0)
            // Between two epochs a server hangs up, and a question on the old connection would fail.
            .max_idle_connections(0)
            // The address is the user's; the environment has no say in it.
            .proxy(None)
            .user_agent(concat!("afterimage/", env!("CARGO_PKG_VERSION")))
            .build();
        Self {
            address: address.trim_end_matches('/').to_owned(),
            agent: agent.into(),
        }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    fn url(&self, endpoint: &str) -> String {
        format!("{}/api/2.0/mlflow/{endpoint}", self.address)
    }

    /// Asks without changing anything.
    pub(super) fn get(&self, endpoint: &str, asked: &[(&str, &str)]) -> Result<Answer, TrackError> {
        let question = self.agent.get(self.url(endpoint));
        let answer = question.query_pairs(asked.iter().copied()).call();
        self.answer(endpoint, answer)
    }

    pub(super) fn post(&self, endpoint: &str, asked: &Value) -> Result<Answer, TrackError> {
        let question = self.agent.post(self.url(endpoint));
        let question = question.header("content-type", "application/json");
        self.answer(endpoint, question.send(asked.to_string()))
    }

    fn answer(
        &self,
        endpoint: &str,
        answer: Result<Response<Body>, ureq::Error>,
    ) -> Result<Answer, TrackError> {
        let why = |error: ureq::Error| failed("MLflow", &self.address, error.to_string());
        let mut answer = answer.map_err(why)?;
        let status = answer.status().as_u16();
        let read = answer.body_mut().with_config().limit(MOST).read_to_vec();
        let bytes = read.map_err(why)?;
        let value = serde_json::from_slice::<Value>(&bytes);
        let said = || {
            let text = String::from_utf8_lossy(&bytes);
            let text: String = text
                .chars()
                .filter(|c| !c.is_control())
                .take(SHOWN)
                .collect();
            format!("{endpoint} was answered with status {status}: {text}")
        };
        match (status, value) {
            (200..=299, Ok(value)) => Ok(Answer::Found(value)),
            (404, Ok(value)) if value["error_code"] == "RESOURCE_DOES_NOT_EXIST" => {
                Ok(Answer::Missing)
            }
            (400, Ok(_)) => Ok(Answer::Refused(said())),
            _ => Err(failed("MLflow", &self.address, said())),
        }
    }
}

impl Answer {
    /// What was asked for, where nothing else will do.
    pub(super) fn all(self, rest: &Rest) -> Result<Value, TrackError> {
        match self {
            Self::Found(value) => Ok(value),
            Self::Missing => Err(failed("MLflow", rest.address(), "the run is gone there")),
            Self::Refused(why) => Err(failed("MLflow", rest.address(), why)),
        }
    }
}
