//! The real daemon, started as a process.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::PATIENCE;

/// A running `entitled serve`. Dropped, it is killed.
pub struct Daemon {
    pub child: Child,
    pub base: String,
    logs: Arc<Mutex<Vec<Value>>>,
    news: watch::Receiver<usize>,
}

impl Daemon {
    /// Starts it and waits until it listens.
    pub async fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
        let lines = BufReader::new(child.stderr.take().expect("stderr"));
        let logs = Arc::new(Mutex::new(Vec::new()));
        let (told, news) = watch::channel(0);
        tokio::spawn(follow(lines, Arc::clone(&logs), told));
        let mut daemon = Self { child, base: String::new(), logs, news };
        let listening = daemon.wait_for_log(|line| line["message"] == "listening").await;
        daemon.base = format!("http://{}", listening["address"].as_str().expect("an address"));
        daemon
    }

    /// All log lines so far.
    pub fn logs(&self) -> Vec<Value> {
        self.logs.lock().expect("logs").clone()
    }

    /// Waits for a log line, past or to come.
    pub async fn wait_for_log(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        self.wait_for_logs(1, wanted).await.remove(0)
    }

    /// Waits until there are `count` such log lines.
    pub async fn wait_for_logs(&self, count: usize, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut news = self.news.clone();
        let waiting = async {
            loop {
                news.borrow_and_update();
                let found: Vec<Value> = self.logs().into_iter().filter(|line| wanted(line)).collect();
                if found.len() >= count {
                    return found;
                }
                if news.changed().await.is_err() {
                    panic!("the daemon ended without that log line: {:#?}", self.logs());
                }
            }
        };
        let logs = || self.logs();
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("no such log line: {:#?}", logs()))
    }

    /// Waits for a scheduled run of a source to end, and returns its log line; `after` of them have been seen.
    pub async fn wait_for_run(&self, source: &str, after: usize) -> Value {
        let ended =
            |line: &Value| line["message"] == "run ended" && line["source"] == source && line["trigger"] == "schedule";
        self.wait_for_logs(after + 1, ended).await.remove(after)
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        reqwest::Client::new().get(format!("{}{path}", self.base)).send().await.expect("an answer")
    }

    /// Reports a login with the test's key.
    pub async fn login(&self, body: &Value) -> (u16, Value) {
        let request =
            reqwest::Client::new().post(format!("{}/hooks/login", self.base)).bearer_auth("login-key").json(body);
        let response = request.send().await.expect("an answer");
        (response.status().as_u16(), response.json().await.expect("JSON"))
    }

    /// Sends a signal by its name (`TERM`, `KILL`, `STOP`, `CONT`).
    pub fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = std::process::Command::new("kill").arg(format!("-{name}")).arg(id).status().expect("kill");
        assert!(sent.success());
    }

    /// Halts it, and returns when none of its threads moves any more: the signal is one thread's to take, and on a busy machine
    /// the others go on until it does.
    pub async fn pause(&self) {
        self.signal("STOP");
        let halting = async {
            while !self.stands_still() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, halting).await.expect("it stands still");
    }

    /// As Linux tells it; elsewhere the signal is believed.
    fn stands_still(&self) -> bool {
        let id = self.child.id().expect("it runs");
        let Ok(threads) = std::fs::read_dir(format!("/proc/{id}/task")) else { return true };
        threads.flatten().all(|thread| {
            let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            // The state follows the name, which stands in brackets.
            stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
        })
    }

    /// Asks it to stop and waits for its exit code.
    pub async fn terminate(mut self) -> i32 {
        self.signal("TERM");
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").expect("it ends");
        ended.code().unwrap_or(-1)
    }
}

async fn follow(
    lines: BufReader<tokio::process::ChildStderr>,
    logs: Arc<Mutex<Vec<Value>>>,
    told: watch::Sender<usize>,
) {
    let mut lines = lines.lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
        logs.lock().expect("logs").push(line);
        told.send_modify(|count| *count += 1);
    }
}
