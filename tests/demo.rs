//! `entitled demo`, the real binary: the story comes out as told, ends when asked to, and leaves nothing behind.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// The whole story, on a busy machine.
const STORY_PATIENCE: Duration = Duration::from_secs(120);
/// A demo that was asked to end.
const END_PATIENCE: Duration = Duration::from_secs(10);

const CHAPTERS: [&str; 7] = [
    "1. The first read",
    "2. Ann logs in",
    "3. One joins, one leaves, and one is none of the directory's business",
    "4. The backend goes down",
    "5. Half an answer is no answer",
    "6. A mass removal is held",
    "7. The store proves itself",
];

/// A demo in a folder of its own, which is its working directory and its place for temporary files.
struct Demo {
    folder: tempfile::TempDir,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_entitled"));
        command.arg("demo").args(arguments).current_dir(folder.path()).env("TMPDIR", folder.path());
        // The operator's own settings are none of the demo's business.
        command.env("ENTITLED_DATABASE__URL", "postgres://nobody@127.0.0.1:1/nothing");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        Self { folder, child, lines }
    }

    /// Reads on until a line is the one; returns what was read.
    async fn read_until(&mut self, wanted: &str) -> Vec<String> {
        let reading = async {
            let mut read = Vec::new();
            while let Some(line) = self.lines.next_line().await.expect("UTF-8") {
                let found = line == wanted;
                read.push(line);
                if found {
                    return read;
                }
            }
            panic!("it ended without {wanted:?}: {read:#?}");
        };
        tokio::time::timeout(STORY_PATIENCE, reading).await.expect("it is told in time")
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = std::process::Command::new("kill").arg(format!("-{name}")).arg(id).status().expect("kill");
        assert!(sent.success());
    }

    /// Reads the rest and waits for the end: how it ended, what it said last and on stderr, and its folder.
    async fn end(mut self, patience: Duration) -> (ExitStatus, Vec<String>, String, tempfile::TempDir) {
        let ending = async {
            let mut rest = Vec::new();
            while let Some(line) = self.lines.next_line().await.expect("UTF-8") {
                rest.push(line);
            }
            let mut errors = String::new();
            let mut stderr = self.child.stderr.take().expect("stderr");
            stderr.read_to_string(&mut errors).await.expect("UTF-8");
            (self.child.wait().await.expect("it ends"), rest, errors)
        };
        let (status, rest, errors) = tokio::time::timeout(patience, ending).await.expect("it ends in time");
        (status, rest, errors, self.folder)
    }
}

fn assert_nothing_left(folder: &Path) {
    let left: Vec<_> = std::fs::read_dir(folder).expect("its folder").map(|entry| entry.expect("an entry")).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

#[tokio::test]
async fn once_tells_the_whole_story_and_leaves_nothing_behind() {
    let (status, lines, errors, folder) = Demo::start(&["--once"]).end(STORY_PATIENCE).await;
    assert_eq!((status.code(), errors.as_str()), (Some(0), ""), "{lines:#?}");
    let chapters: Vec<&str> = lines.iter().map(String::as_str).filter(|line| CHAPTERS.contains(line)).collect();
    assert_eq!(chapters, CHAPTERS);
    assert!(lines.iter().any(|line| line.starts_with("  curl http://127.0.0.1:")), "{lines:#?}");
    assert!(lines.iter().all(|line| line.chars().count() < 80 && !line.contains('\u{1b}')), "{lines:#?}");
    assert_nothing_left(folder.path());
}

#[tokio::test]
async fn an_interrupt_in_the_middle_ends_it_cleanly() {
    let mut demo = Demo::start(&[]);
    demo.read_until(CHAPTERS[2]).await;
    demo.signal("INT");
    let (status, lines, errors, folder) = demo.end(END_PATIENCE).await;
    assert_eq!((status.code(), errors.as_str()), (Some(0), ""), "{lines:#?}");
    assert!(!lines.iter().any(|line| line == CHAPTERS[6]), "{lines:#?}");
    assert_nothing_left(folder.path());
}

#[tokio::test]
async fn after_the_story_it_keeps_running_until_it_is_told_to_stop() {
    let mut demo = Demo::start(&[]);
    let told = demo.read_until("Your turn").await;
    let health = told.iter().find_map(|line| line.trim().strip_prefix("health")).expect("its address").trim();
    let answer = reqwest::get(health).await.expect("it still answers");
    assert_eq!(answer.status(), 200);
    demo.signal("TERM");
    let (status, lines, errors, folder) = demo.end(END_PATIENCE).await;
    assert_eq!((status.code(), errors.as_str()), (Some(0), ""), "{lines:#?}");
    assert_nothing_left(folder.path());
}

#[tokio::test]
async fn a_closed_pipe_ends_it_without_a_panic() {
    let Demo { folder, child, mut lines } = Demo::start(&[]);
    lines.next_line().await.expect("UTF-8").expect("a first line");
    drop(lines);
    let output =
        tokio::time::timeout(STORY_PATIENCE, child.wait_with_output()).await.expect("in time").expect("it ends");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
    assert_nothing_left(folder.path());
}
