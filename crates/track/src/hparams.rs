//! The HParams tab of TensorBoard: runs with what was set, what came out, and how they ended.

use std::collections::{BTreeMap, HashMap};
use std::io;

use protobuf::well_known_types::{ListValue, Value};
use protobuf::{Message, RepeatedField};
use tensorboard_proto::api::{
    DataType, Experiment, HParamInfo, Interval, MetricInfo, MetricName, Status,
};
use tensorboard_proto::plugin_hparams::{HParamsPluginData, SessionEndInfo, SessionStartInfo};
use tensorboard_proto::summary::{Summary_Value, SummaryMetadata};

use crate::TensorBoard;
use crate::tensorboard::plugin;

/// A value that a run was given.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub enum HParam {
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// Yes or no.
    Flag(bool),
}

/// How far a session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionStatus {
    /// It is not over.
    Running,
    /// It came to its end.
    Success,
    /// It failed, or was stopped.
    Failure,
}

/// A run as the HParams tab shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// Sessions of one group differ in nothing that was set, such as repetitions.
    pub group: String,
    /// What was set, by name.
    pub hparams: BTreeMap<String, HParam>,
    /// When it was started, in seconds since 1970.
    pub started: f64,
    /// When it ended.
    pub ended: Option<f64>,
    /// How far it has come.
    pub status: SessionStatus,
}

impl TensorBoard {
    /// Says which values runs are given and which scalars they are judged by; for one event file of
    /// the folder that TensorBoard is started on.
    ///
    /// # Errors
    /// A full disk.
    pub fn hparams_experiment(
        &mut self,
        hparams: &BTreeMap<String, Vec<HParam>>,
        metrics: &[String],
    ) -> io::Result<()> {
        let mut experiment = Experiment::new();
        for (name, values) in hparams {
            experiment.mut_hparam_infos().push(info(name, values));
        }
        for tag in metrics {
            let mut name = MetricName::new();
            name.set_tag(tag.clone());
            let mut info = MetricInfo::new();
            info.set_name(name);
            experiment.mut_metric_infos().push(info);
        }
        let mut data = HParamsPluginData::new();
        data.set_experiment(experiment);
        self.hparams("_hparams_/experiment", &data)
    }

    /// Says what the run of this event file was given, and how far it has come; its scalars are
    /// written as those of any run.
    ///
    /// # Errors
    /// A full disk.
    pub fn hparams_session(&mut self, session: &Session) -> io::Result<()> {
        let mut start = SessionStartInfo::new();
        let values: HashMap<String, Value> = session
            .hparams
            .iter()
            .map(|(name, value)| (name.clone(), message(value)))
            .collect();
        start.set_hparams(values);
        start.set_group_name(session.group.clone());
        start.set_start_time_secs(session.started);
        let mut data = HParamsPluginData::new();
        data.set_session_start_info(start);
        self.hparams("_hparams_/session_start_info", &data)?;
        match session.ended {
            Some(ended) => self.hparams_end(session.status, ended),
            None => Ok(()),
        }
    }

    /// Says that the run of this folder, whose session was told in an earlier event file, came to an end
    /// at `ended`, in seconds since 1970. TensorBoard takes the first word on it.
    ///
    /// # Errors
    /// A full disk.
    pub fn hparams_end(&mut self, status: SessionStatus, ended: f64) -> io::Result<()> {
        let mut end = SessionEndInfo::new();
        end.set_status(match status {
            SessionStatus::Running => Status::STATUS_RUNNING,
            SessionStatus::Success => Status::STATUS_SUCCESS,
            SessionStatus::Failure => Status::STATUS_FAILURE,
        });
        end.set_end_time_secs(ended);
        let mut data = HParamsPluginData::new();
        data.set_session_end_info(end);
        self.hparams("_hparams_/session_end_info", &data)
    }

    fn hparams(&mut self, tag: &str, data: &HParamsPluginData) -> io::Result<()> {
        let mut metadata: SummaryMetadata = plugin("hparams");
        metadata
            .mut_plugin_data()
            .set_content(data.write_to_bytes()?);
        let mut value = Summary_Value::new();
        value.set_metadata(metadata);
        self.value(0, tag, value)
    }
}

fn message(value: &HParam) -> Value {
    let mut message = Value::new();
    match value {
        HParam::Number(number) => message.set_number_value(*number),
        HParam::Text(text) => message.set_string_value(text.clone()),
        HParam::Flag(flag) => message.set_bool_value(*flag),
    }
    message
}

/// Numbers get a range to filter by, everything else a list of choices.
fn info(name: &str, values: &[HParam]) -> HParamInfo {
    let mut info = HParamInfo::new();
    info.set_name(name.to_owned());
    let numbers: Vec<f64> = values
        .iter()
        .filter_map(|value| match value {
            HParam::Number(number) => Some(*number),
            _ => None,
        })
        .collect();
    if !numbers.is_empty() && numbers.len() == values.len() {
        info.set_field_type(DataType::DATA_TYPE_FLOAT64);
        let mut interval = Interval::new();
        interval.set_min_value(numbers.iter().copied().fold(f64::INFINITY, f64::min));
        interval.set_max_value(numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max));
        info.set_domain_interval(interval);
        return info;
    }
    let flags = values.iter().all(|value| matches!(value, HParam::Flag(_)));
    info.set_field_type(if flags {
        DataType::DATA_TYPE_BOOL
    } else {
        DataType::DATA_TYPE_STRING
    });
    let mut list = ListValue::new();
    list.set_values(RepeatedField::from_vec(
        values.iter().map(message).collect(),
    ));
    info.set_domain_discrete(list);
    info
}
