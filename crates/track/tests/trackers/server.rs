//! A small MLflow server that can be made to misbehave.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// What the server does with batches of points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It takes them.
    Well,
    /// It takes so many and hangs up without an answer.
    Dies(u32),
    /// It never answers anything.
    Hangs,
    /// It finds fault with them.
    Refuses,
    /// It is overloaded so many times.
    Busy(u32),
}

#[derive(Debug, Default)]
pub struct Run {
    pub id: String,
    pub name: String,
    pub experiment: String,
    pub status: String,
    pub tags: BTreeMap<String, String>,
    pub params: BTreeMap<String, String>,
    pub metrics: Vec<Value>,
}

#[derive(Debug)]
pub struct Store {
    pub manner: Manner,
    pub experiments: Vec<String>,
    pub runs: Vec<Run>,
    pub asked: Vec<String>,
}

pub struct Server {
    pub url: String,
    pub store: Arc<Mutex<Store>>,
}

impl Server {
    pub fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let store = Arc::new(Mutex::new(Store {
            manner,
            experiments: Vec::new(),
            runs: Vec::new(),
            asked: Vec::new(),
        }));
        let own = Arc::clone(&store);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let own = Arc::clone(&own);
                thread::spawn(move || serve(stream.unwrap(), &own));
            }
        });
        Self { url, store }
    }
}

fn serve(mut stream: TcpStream, store: &Mutex<Store>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((name, value)) = header.trim().split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let endpoint = path.strip_prefix("/api/2.0/mlflow/").unwrap().to_owned();
    let asked = match method {
        "GET" => {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let decoded = pairs.map(|(key, value)| (key.to_owned(), json!(decoded(value))));
            Value::Object(decoded.collect())
        }
        _ => serde_json::from_slice(&body).unwrap(),
    };
    if store.lock().unwrap().manner == Manner::Hangs {
        thread::sleep(Duration::from_secs(60));
        return;
    }
    let Some((status, answer)) = store.lock().unwrap().answer(&endpoint, &asked) else {
        return;
    };
    let text = answer.to_string();
    let _ = write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{text}",
        text.len()
    );
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).unwrap()
}

fn word(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn pairs(list: &Value) -> BTreeMap<String, String> {
    let all = list.as_array().into_iter().flatten();
    all.map(|one| (word(&one["key"]), word(&one["value"])))
        .collect()
}

impl Store {
    fn run(&mut self, id: &Value) -> &mut Run {
        let id = word(id);
        self.runs.iter_mut().find(|run| run.id == id).unwrap()
    }

    /// Status and answer; `None` to hang up.
    fn answer(&mut self, endpoint: &str, asked: &Value) -> Option<(u32, Value)> {
        self.asked.push(endpoint.to_owned());
        let missing = json!({ "error_code": "RESOURCE_DOES_NOT_EXIST", "message": "none" });
        Some(match endpoint {
            "experiments/get-by-name" => {
                let name = word(&asked["experiment_name"]);
                match self.experiments.iter().position(|known| *known == name) {
                    Some(at) => {
                        let found =
                            json!({ "experiment_id": at.to_string(), "lifecycle_stage": "active" });
                        (200, json!({ "experiment": found }))
                    }
                    None => (404, missing),
                }
            }
            "experiments/create" => {
                self.experiments.push(word(&asked["name"]));
                (
                    200,
                    json!({ "experiment_id": (self.experiments.len() - 1).to_string() }),
                )
            }
            "runs/search" => {
                let filter = word(&asked["filter"]);
                let id = filter.split('\'').nth(1).unwrap();
                assert!(filter.starts_with("tags.`afterimage.run` = '"), "{filter}");
                let found = self
                    .runs
                    .iter()
                    .filter(|run| run.tags["afterimage.run"] == id);
                let found: Vec<Value> = found
                    .map(|run| json!({ "info": { "run_id": run.id } }))
                    .collect();
                (200, json!({ "runs": found }))
            }
            "runs/create" => {
                let run = Run {
                    id: format!("run{}", self.runs.len()),
                    name: word(&asked["run_name"]),
                    experiment: word(&asked["experiment_id"]),
                    status: "RUNNING".to_owned(),
                    tags: pairs(&asked["tags"]),
                    ..Run::default()
                };
                let made = json!({ "run": { "info": { "run_id": run.id } } });
                self.runs.push(run);
                (200, made)
            }
            "runs/update" => {
                self.run(&asked["run_id"]).status = word(&asked["status"]);
                (200, json!({}))
            }
            "runs/get" => {
                let run = self.run(&asked["run_id"]);
                let keys: BTreeMap<String, Value> = run
                    .metrics
                    .iter()
                    .map(|metric| (word(&metric["key"]), metric.clone()))
                    .collect();
                let params = run.params.iter();
                let params: Vec<Value> = params
                    .map(|(key, value)| json!({ "key": key, "value": value }))
                    .collect();
                let data =
                    json!({ "metrics": keys.values().collect::<Vec<_>>(), "params": params });
                (200, json!({ "run": { "data": data } }))
            }
            "metrics/get-history" => {
                let key = asked["metric_key"].clone();
                let from = asked["page_token"]
                    .as_str()
                    .unwrap_or("0")
                    .parse::<usize>()
                    .unwrap();
                let all = self.run(&asked["run_id"]).metrics.iter();
                // A page of five.
                let all: Vec<&Value> = all.filter(|metric| metric["key"] == key).collect();
                let page: Vec<&&Value> = all.iter().skip(from).take(5).collect();
                let next = match from + page.len() < all.len() {
                    true => (from + page.len()).to_string(),
                    false => String::new(),
                };
                (200, json!({ "metrics": page, "next_page_token": next }))
            }
            "runs/log-batch" => return self.batch(asked),
            other => panic!("{other}"),
        })
    }

    fn batch(&mut self, asked: &Value) -> Option<(u32, Value)> {
        let metrics = asked["metrics"].as_array().cloned().unwrap_or_default();
        let told = pairs(&asked["params"]);
        self.run(&asked["run_id"]).params.extend(told);
        if metrics.is_empty() {
            return Some((200, json!({})));
        }
        assert!(metrics.len() <= 1000);
        match self.manner {
            Manner::Refuses => {
                let fault =
                    json!({ "error_code": "INVALID_PARAMETER_VALUE", "message": "no such name" });
                return Some((400, fault));
            }
            Manner::Busy(times) if times > 0 => {
                self.manner = Manner::Busy(times - 1);
                return Some((503, json!({ "message": "later" })));
            }
            _ => {}
        }
        self.run(&asked["run_id"]).metrics.extend(metrics);
        if let Manner::Dies(times @ 1..) = self.manner {
            self.manner = Manner::Dies(times - 1);
            return None;
        }
        Some((200, json!({})))
    }
}
