//! What can be seen of the store that a walk goes over.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, QueryResult, Statement};
use serde_json::Value;

use crate::ground::{Ground, address};
use crate::script::{DOMAINS, GROUPS};

impl Ground {
    /// What can be seen of the store, a line a fact, in the reference model's words.
    pub async fn lines(&self) -> BTreeSet<String> {
        let mut lines = BTreeSet::new();
        let reader = self.store.reader();
        for user in self.store.users(reader, false).await.expect("users") {
            let person = user.profile.email.as_ref().map_or("nobody", |email| person_of(email.as_given()));
            lines.insert(format!("user {person}{}", if user.status == "suspended" { ", suspended" } else { "" }));
            let stated = self.store.entitlements_of_user(reader, user.id).await.expect("entitlements");
            for (key, value) in stated.into_values().flatten() {
                lines.extend(stated_line(person, &key, &value.json()));
            }
        }
        let rows = "SELECT p.email, g.name, m.source FROM membership m JOIN user_group g ON g.id = m.group_id
            JOIN user_profile p ON p.user_id = m.user_id WHERE m.to_position IS NULL";
        for row in self.texts(rows, 3).await {
            lines.insert(format!("{} in {} by {}", person_of(&row[0]), shown(&row[1]), row[2]));
        }
        let groups = self.store.groups().await.expect("groups").into_iter().map(|group| group.name);
        let own = groups.filter(|name| !["Admin", "Everyone"].contains(&&**name));
        lines.extend(own.map(|name| format!("group {}", shown(&name))));
        let resources = self.texts("SELECT resource_id FROM resource", 1).await;
        lines.extend(resources.into_iter().map(|row| format!("resource {}", row[0])));
        lines
    }

    async fn texts(&self, sql: &str, columns: usize) -> Vec<Vec<String>> {
        let reader = self.store.reader();
        let rows =
            reader.query_all_raw(Statement::from_string(reader.get_database_backend(), sql)).await.expect("rows");
        let read = |row: &QueryResult| (0..columns).map(|at| row.try_get_by_index(at).expect("a text")).collect();
        rows.iter().map(read).collect()
    }

    /// How far the log is.
    pub async fn position(&self) -> i64 {
        self.store.head(self.store.reader()).await.expect("the head").0.0
    }

    /// What `verify` finds.
    pub async fn unsound(&self) -> Option<String> {
        let proof = self.store.verify().await.expect("verified");
        (!proof.faults.is_empty()).then(|| format!("{proof:?}"))
    }
}

fn person_of(email: &str) -> &str {
    email.split('@').next().unwrap_or_default()
}

fn shown(group: &str) -> String {
    let (name, gone) = match group.split_once(" (gone") {
        Some((name, _)) => (name, " (gone)"),
        None => (group, ""),
    };
    if let Some(domain) = DOMAINS.iter().find(|domain| name == format!("maildomain:{domain}:admin")) {
        return format!("domain {domain}");
    }
    let known = GROUPS.iter().find(|group| address(group) == name);
    format!("{}{gone}", known.copied().unwrap_or(name))
}

fn stated_line(person: &str, key: &str, value: &Value) -> Option<String> {
    match key {
        "plan" => Some(format!("{person} has plan {value}")),
        "can_admin_maildomains" => {
            let domains: BTreeSet<&str> = value.as_array()?.iter().filter_map(|domain| domain.as_str()).collect();
            Some(format!("{person} may administer {domains:?}"))
        }
        _ => None,
    }
}
