//! A SCIM server of one page: every request is answered from two lists, with the quirks and faults that a test asks for.
//! It speaks HTTP by hand, so that it can also break off.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

pub const TOKEN: &str = "t0ken-of-the-directory";

const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

pub struct Fake {
    pub base: String,
    state: Arc<Mutex<State>>,
}

pub struct State {
    pub users: Vec<Value>,
    pub groups: Vec<Value>,
    pub filters: Filters,
    /// Whether lists, and groups read alone, tell members without being asked for them.
    pub members_told: bool,
    /// The most that a page holds, whatever is asked for.
    pub page_max: usize,
    pub provider_config: Option<Value>,
    pub faults: Vec<(&'static str, Fault)>,
    pub log: Vec<Asked>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filters {
    Work,
    Ignored,
    /// With this status, and this `scimType`.
    Refused(u16, &'static str),
    /// They compare by case.
    Exact,
    /// They are taken, and find nothing.
    Blind,
}

pub type Edit = fn(&mut Value);

#[derive(Clone)]
pub enum Fault {
    Answer(u16, String),
    /// Changes the body of an answer.
    Edit(Edit),
    RetryAfter,
    Truncate,
    Reset,
    Hang,
}

#[derive(Clone, Debug)]
pub struct Asked {
    pub target: String,
    pub status: u16,
}

impl Fake {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let base = format!("http://{}/scim/v2", listener.local_addr().expect("bound"));
        let state = Arc::new(Mutex::new(State {
            users: Vec::new(),
            groups: Vec::new(),
            filters: Filters::Work,
            members_told: true,
            page_max: 1000,
            provider_config: None,
            faults: Vec::new(),
            log: Vec::new(),
        }));
        let served = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, Arc::clone(&served)));
            }
        });
        Self { base, state }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("whole")
    }

    pub fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
    }

    /// Requests whose target holds `part`.
    pub fn asked(&self, part: &str) -> Vec<Asked> {
        self.state().log.iter().filter(|asked| asked.target.contains(part)).cloned().collect()
    }

    pub fn fault(&self, target: &'static str, fault: Fault) {
        self.state().faults.push((target, fault));
    }

    pub fn heal(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.log.clear();
    }
}

async fn serve(mut connection: TcpStream, state: Arc<Mutex<State>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match connection.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).expect("text");
    let target = head.split(' ').nth(1).expect("a target").to_owned();
    let (fault, (status, mut body, etag)) = {
        let mut state = state.lock().expect("whole");
        let answer = state.answer(&target, &head);
        state.log.push(Asked { target: target.clone(), status: answer.0 });
        let fault = state.faults.iter().find(|(part, _)| target.contains(part)).map(|(_, fault)| fault.clone());
        (fault, answer)
    };
    let (status, body, more) = match fault {
        None => (status, body.to_string(), String::new()),
        Some(Fault::Answer(status, body)) => (status, body, String::new()),
        Some(Fault::Edit(edit)) => {
            edit(&mut body);
            (status, body.to_string(), String::new())
        }
        Some(Fault::RetryAfter) => (429, String::new(), "retry-after: 3000\r\n".to_owned()),
        Some(Fault::Truncate) => {
            let text = body.to_string();
            let _ = connection
                .write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", text.len()).as_bytes())
                .await;
            let _ = connection.write_all(&text.as_bytes()[..text.len() / 2]).await;
            return;
        }
        Some(Fault::Reset) => return,
        Some(Fault::Hang) => return std::future::pending().await,
    };
    let etag = etag.map_or_else(String::new, |etag| format!("etag: {etag}\r\n"));
    let length = if status == 304 { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let body = if status == 304 { String::new() } else { body };
    let kind = "content-type: application/scim+json\r\nconnection: close\r\n";
    let _ =
        connection.write_all(format!("HTTP/1.1 {status} X\r\n{kind}{length}{etag}{more}\r\n{body}").as_bytes()).await;
}

type Answer = (u16, Value, Option<String>);

impl State {
    fn answer(&self, target: &str, head: &str) -> Answer {
        let lower = head.to_lowercase();
        assert!(lower.contains("accept: application/scim+json, application/json\r\n"), "{head}");
        if !head.contains(&format!("Bearer {TOKEN}\r\n")) {
            return error(401, "");
        }
        let url = Url::parse(&format!("http://fake{target}")).expect("a target");
        let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let path: Vec<&str> = url.path().trim_start_matches("/scim/v2/").split('/').collect();
        match path[..] {
            ["ServiceProviderConfig"] => match &self.provider_config {
                Some(config) => (200, config.clone(), None),
                None => (404, Value::Null, None),
            },
            ["Users"] => self.list(&self.users, &query),
            ["Groups"] => self.list(&self.groups, &query),
            ["Users", id] => self.alone(&self.users, id, &query, &lower),
            ["Groups", id] => self.alone(&self.groups, id, &query, &lower),
            _ => (404, Value::Null, None),
        }
    }

    fn list(&self, all: &[Value], query: &BTreeMap<String, String>) -> Answer {
        let found: Vec<&Value> = match (query.get("filter"), self.filters) {
            (Some(_), Filters::Refused(status, kind)) => return error(status, kind),
            (Some(_), Filters::Blind) => Vec::new(),
            (None, _) | (_, Filters::Ignored) => all.iter().collect(),
            (Some(filter), compare) => all.iter().filter(|one| matches(one, filter, compare)).collect(),
        };
        let count = query.get("count").map_or(100, |count| count.parse().expect("a count")).min(self.page_max);
        let by_cursor = query.get("cursor");
        let from: usize = match by_cursor.map(String::as_str) {
            Some("") => 0,
            Some(cursor) => cursor.trim_start_matches("after-").parse().expect("a cursor"),
            None => query["startIndex"].parse::<usize>().expect("an index") - 1,
        };
        let page: Vec<Value> =
            found.iter().skip(from).take(count).map(|one| self.shown(one, self.members_told)).collect();
        let mut body = json!({"schemas": [LIST], "totalResults": found.len(), "itemsPerPage": page.len()});
        if by_cursor.is_some() && from + page.len() < found.len() {
            body["nextCursor"] = json!(format!("after-{}", from + page.len()));
        }
        if !page.is_empty() {
            body["Resources"] = page.into();
        }
        (200, body, None)
    }

    fn alone(&self, all: &[Value], id: &str, query: &BTreeMap<String, String>, head: &str) -> Answer {
        let Some(found) = all.iter().find(|one| one["id"] == id) else { return error(404, "") };
        let etag = format!("w/\"{}\"", found.to_string().len());
        if head.contains(&format!("if-none-match: {etag}\r\n")) {
            return (304, Value::Null, Some(etag));
        }
        let asked_for = query.get("attributes").is_some_and(|names| names.contains("members"));
        (200, self.shown(found, self.members_told || asked_for), Some(etag))
    }

    fn shown(&self, resource: &Value, members: bool) -> Value {
        let mut shown = resource.clone();
        if !members {
            shown.as_object_mut().expect("an object").remove("members");
        }
        shown
    }
}

fn error(status: u16, kind: &str) -> Answer {
    let detail = "about ann@example.org, who is u-1";
    (status, json!({"schemas": [ERROR], "status": status.to_string(), "scimType": kind, "detail": detail}), None)
}

/// `attribute eq "value"`, and nothing else.
fn matches(resource: &Value, filter: &str, compare: Filters) -> bool {
    let (attribute, value) = filter.split_once(" eq ").expect("a comparison");
    let value: String = serde_json::from_str(value).expect("one JSON string");
    let held: Vec<&Value> = match attribute.split_once('.') {
        Some((list, of)) => resource[list].as_array().into_iter().flatten().map(|one| &one[of]).collect(),
        None => vec![&resource[attribute]],
    };
    let same = |held: &str| match compare {
        Filters::Exact => held == value,
        _ => held.to_lowercase() == value.to_lowercase(),
    };
    held.into_iter().filter_map(Value::as_str).any(same)
}
