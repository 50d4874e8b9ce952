//! The layers of ARCHITECTURE.md, held: who may import whom, which crate is known where, and how long a file may be.
//!
//! It reads the sources as text: `crate::`, `super::` and `<crate>::` paths, comments left out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 400;

/// Each module under `src/` with the modules that it may import. A new module gets a line here.
const MODULES: &[(&str, &[&str])] = &[
    ("batch", &[]),
    ("clock", &[]),
    ("config", &[]),
    ("json", &[]),
    ("metrics", &[]),
    ("source", &["clock", "config", "decoders", "json"]),
    ("store", &["batch", "clock"]),
    ("reconcile", &["clock", "config", "source", "store"]),
    ("report", &["metrics", "reconcile", "store"]),
    ("runner", &["clock", "reconcile", "report", "source", "store"]),
    ("login", &["clock", "reconcile", "report", "runner", "source", "store"]),
    ("scheduler", &["admin", "clock", "config", "report", "runner", "source", "store"]),
    ("hints", &["reconcile", "report", "runner", "source"]),
    ("provision", &["source", "store"]),
    ("access", &["batch", "store"]),
    ("admin", &["config", "store"]),
    ("access_log", &["clock", "metrics", "report", "store"]),
    ("history", &["config", "store"]),
    ("oidc", &["clock", "config"]),
    (
        "http",
        &[
            "access_log",
            "access",
            "admin",
            "config",
            "decoders",
            "hints",
            "history",
            "json",
            "login",
            "metrics",
            "oidc",
            "provision",
            "report",
            "source",
            "store",
        ],
    ),
    // In tests and fuzzing alone; source, http and remote name its type.
    ("decoders", &["http", "remote", "source"]),
    ("remote", &["config", "decoders", "http", "json"]),
    (
        "daemon",
        &[
            "access",
            "access_log",
            "admin",
            "clock",
            "config",
            "hints",
            "history",
            "http",
            "login",
            "metrics",
            "oidc",
            "report",
            "runner",
            "scheduler",
            "source",
            "store",
        ],
    ),
    (
        "cli",
        &[
            "admin",
            "clock",
            "config",
            "daemon",
            "history",
            "http",
            "metrics",
            "reconcile",
            "remote",
            "report",
            "runner",
            "source",
            "store",
        ],
    ),
];

/// Crates that are known in some places under `src/` only; files of tests may use the simulator and what they please.
const CRATES: [(&str, &[&str]); 17] = [
    ("sea_orm", &["store"]),
    ("entitled_entity", &["store"]),
    ("entitled_migration", &["store"]),
    // Named in a log filter alone.
    ("sqlx", &["cli/telemetry"]),
    ("reqwest", &["source", "oidc", "remote", "cli/demo"]),
    ("governor", &["source"]),
    ("backoff", &["source"]),
    ("jsonwebtoken", &["source", "oidc"]),
    ("axum", &["http", "daemon"]),
    ("tower_http", &["http"]),
    ("utoipa", &["http"]),
    ("clap", &["cli"]),
    ("anyhow", &["cli"]),
    ("entitled_simulator", &["cli"]),
    ("prometheus_client", &["metrics"]),
    ("cron", &["config"]),
    ("sentry", &["report", "http", "cli"]),
];

#[test]
fn modules_import_only_what_stands_below_them() {
    let allowed = MODULES.iter().copied().collect::<BTreeMap<_, _>>();
    let faults = every_line("src", |module, file, code| {
        let Some(below) = allowed.get(module) else {
            return vec![format!("the module {module} is not in the table of layers")];
        };
        if code.contains("crate::{") {
            return vec!["name each module in a `use` of its own".to_owned()];
        }
        let foreign = own_paths(code, file).into_iter().filter(|to| *to != module && allowed.contains_key(to));
        foreign.filter(|to| !below.contains(to)).map(|to| format!("{module} must not import {to}")).collect()
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn crates_are_known_only_where_they_belong() {
    let faults = every_line("src", |_, file, code| {
        if file.inside.ends_with("tests") || file.inside.ends_with("testing") {
            return Vec::new();
        }
        let belongs = |places: &[&str]| places.iter().any(|place| file.inside.starts_with(place));
        let named = CRATES.iter().filter(|(name, places)| names(code, name) && !belongs(places));
        // `mod sentry;` in config.rs is a module of that name.
        let named = named.filter(|(name, _)| !file.text.contains(&format!("mod {name};")));
        named.map(|(name, places)| format!("only {places:?} may know {name}")).collect()
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_model_has_no_clock_no_chance_and_no_outside_world() {
    const OUTSIDE: [&str; 8] =
        ["Utc::now", "SystemTime", "now_v7", "new_v4", "std::fs", "std::net", "std::env", "rand::random"];
    let faults = every_line("model/src", |_, _, code| {
        OUTSIDE
            .iter()
            .filter(|word| code.contains(**word))
            .map(|word| format!("the model must not use {word}"))
            .collect()
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_file_is_too_long() {
    let folders = ["src", "model/src", "entity/src", "migration/src", "simulator/src", "bench/src"];
    let files = folders.into_iter().flat_map(|folder| files(&root().join(folder)));
    let lines = files.map(|path| (read(&path).lines().count(), path)).filter(|(lines, _)| *lines > FILE_LINES_MAX);
    let long: Vec<String> =
        lines.map(|(lines, path)| format!("{}: {lines} lines, more than {FILE_LINES_MAX}", shown(&path))).collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// A file: its text, and its path within the folder, without `.rs`.
struct File {
    text: String,
    inside: PathBuf,
}

/// Calls `check` with the module, file and code of each line, and puts the file's name and the line before each fault.
fn every_line(folder: &str, check: impl Fn(&str, &File, &str) -> Vec<String>) -> Vec<String> {
    let mut faults = Vec::new();
    for path in files(&root().join(folder)) {
        let inside = path.strip_prefix(root().join(folder)).expect("below the folder").with_extension("");
        if folder == "src" && (inside == Path::new("lib") || inside == Path::new("main")) {
            continue;
        }
        let module = inside.iter().next().and_then(|part| part.to_str()).expect("a module").to_owned();
        let file = File { text: read(&path), inside };
        for (index, line) in file.text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let found = check(&module, &file, code);
            faults.extend(found.into_iter().map(|fault| format!("{}:{}: {fault}", shown(&path), index + 1)));
        }
    }
    faults
}

/// The modules of this crate that a line names, by `crate::` or by enough `super::`.
fn own_paths<'c>(code: &'c str, file: &File) -> Vec<&'c str> {
    let to_root = "super::".repeat(file.inside.iter().count());
    let tails = code.split("crate::").skip(1).chain(code.split(&to_root).skip(1));
    tails.map(head).collect()
}

/// `store::Store` begins with `store`.
fn head(path: &str) -> &str {
    &path[..path.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(path.len())]
}

/// Whether a line names a crate: `name::` or `use name;`, and not a module of that name in another path.
fn names(code: &str, name: &str) -> bool {
    let path = format!("{name}::");
    let begins = |at: usize| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
    code.match_indices(&path).any(|(at, _)| begins(at)) || code.trim() == format!("use {name};")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found = Vec::new();
    for entry in entries.map(|entry| entry.expect("an entry").path()) {
        match entry.extension() {
            _ if entry.is_dir() => found.extend(files(&entry)),
            Some(extension) if extension == "rs" => found.push(entry),
            _ => {}
        }
    }
    found.sort();
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
