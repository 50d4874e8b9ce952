//! Lists of the management API, read to their end.
//!
//! Wire facts: `{"count", "next", "previous", "results"}`; `next` is the address of the next page. Only its query is
//! taken from there, so that the key never goes to another host, and a proxy's idea of its own address does not matter.
//!
//! Invariant: a list counts only when every page was read, each once, and the rows are as many as every page stated.

use std::collections::BTreeSet;

use entitled_model::{ErrorClass, Failure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::json;

/// Pages of one list, at most.
const PAGES_MAX: usize = 10_000;

/// Something that a list has once.
pub trait Row: DeserializeOwned + Send {
    fn id(&self) -> &str;
}

/// One page, as sent.
#[derive(Deserialize)]
#[serde(bound(deserialize = "R: Deserialize<'de>"))]
pub struct Page<R> {
    count: u64,
    next: Option<String>,
    #[serde(deserialize_with = "json::objects")]
    results: Vec<R>,
}

/// A list while it is read.
pub struct List<R> {
    first: Url,
    asked: BTreeSet<String>,
    count: Option<u64>,
    ids: BTreeSet<String>,
    rows: Vec<R>,
}

/// What to do after a page.
pub enum Next {
    Ask(Url),
    Done,
}

impl<R: Row> List<R> {
    /// A list whose first page is at `first`.
    pub fn new(first: Url) -> Self {
        let asked = BTreeSet::from([first.query().unwrap_or_default().to_owned()]);
        Self { first, asked, count: None, ids: BTreeSet::new(), rows: Vec::new() }
    }

    /// Takes a page in, and says where the next one is.
    ///
    /// # Errors
    /// `incomplete` when pages or rows are missing, repeated or too many; `malformed` when `next` is no address.
    pub fn take(&mut self, page: Page<R>) -> Result<Next, Failure> {
        let Page { count, next, results } = page;
        if *self.count.get_or_insert(count) != count {
            return Err(incomplete("a list of the management API changed its count from one page to the next"));
        }
        for row in results {
            if !self.ids.insert(row.id().to_owned()) {
                return Err(incomplete("a list of the management API has a row twice"));
            }
            self.rows.push(row);
        }
        let Some(next) = next else {
            let agree = self.rows.len() as u64 == count;
            return if agree {
                Ok(Next::Done)
            } else {
                Err(incomplete("a list of the management API has another count than rows"))
            };
        };
        let mut url = self.first.clone();
        url.set_query(self.first.join(&next).map_err(|_| malformed())?.query());
        if !self.asked.insert(url.query().unwrap_or_default().to_owned()) {
            return Err(incomplete("a list of the management API repeats a page"));
        }
        if self.asked.len() > PAGES_MAX {
            return Err(incomplete("a list of the management API has too many pages"));
        }
        Ok(Next::Ask(url))
    }

    pub fn into_rows(self) -> Vec<R> {
        self.rows
    }
}

fn incomplete(message: &'static str) -> Failure {
    Failure::new(ErrorClass::Incomplete, message)
}

fn malformed() -> Failure {
    Failure::new(ErrorClass::Malformed, "a list of the management API goes on at no address")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::StatusCode;
    use serde_json::{Value, json};

    use super::*;
    use crate::source::client::Reply;

    #[derive(Deserialize)]
    struct Plain {
        id: String,
    }

    impl Row for Plain {
        fn id(&self) -> &str {
            &self.id
        }
    }

    fn list() -> List<Plain> {
        List::new(Url::parse("https://deploycenter.example/api/v1.0/accounts/?service=42").expect("an address"))
    }

    fn page(count: u64, next: Option<&str>, ids: &[&str]) -> Page<Plain> {
        let results: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
        serde_json::from_value(json!({ "count": count, "next": next, "results": results })).expect("a page")
    }

    fn class(taken: Result<Next, Failure>) -> Option<ErrorClass> {
        taken.err().map(|failure| failure.class)
    }

    #[test]
    fn only_the_query_of_the_next_address_is_taken() {
        let mut list = list();
        let Ok(Next::Ask(url)) = list.take(page(2, Some("http://evil.example/elsewhere/?service=42&page=2"), &["a"]))
        else {
            panic!("goes on");
        };
        assert_eq!(url.as_str(), "https://deploycenter.example/api/v1.0/accounts/?service=42&page=2");
        assert!(matches!(list.take(page(2, None, &["b"])), Ok(Next::Done)));
        assert_eq!(list.into_rows().len(), 2);
    }

    #[test]
    fn a_list_that_does_not_add_up_is_incomplete() {
        let next = Some("https://deploycenter.example/?page=2");
        for second in [page(3, None, &["b"]), page(2, None, &[]), page(2, None, &["a"]), page(2, next, &["b"])] {
            let mut list = list();
            assert!(list.take(page(2, next, &["a"])).is_ok());
            assert_eq!(class(list.take(second)), Some(ErrorClass::Incomplete));
        }
        assert_eq!(class(list().take(page(2, None, &["a"]))), Some(ErrorClass::Incomplete));
        assert_eq!(class(list().take(page(1, Some("http://["), &["a"]))), Some(ErrorClass::Malformed));
    }

    #[test]
    fn a_list_is_no_page_and_no_row() {
        // S5
        for page in [json!([0, null, []]), json!({ "count": 1, "next": null, "results": [["a"]] })] {
            let reply = Reply::of(StatusCode::OK, page.to_string().as_bytes());
            let read = reply.ok_json::<Page<Plain>>().map(|_| ());
            assert_eq!(read.map_err(|failure| failure.class), Err(ErrorClass::Malformed), "{page}");
        }
    }

    proptest! {
        #[test]
        fn no_address_of_a_next_page_panics(next in "\\PC*") {
            let _ = list().take(page(2, Some(&next), &["a"]));
        }
    }
}
