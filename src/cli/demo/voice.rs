//! The narrator's voice: short paragraphs on stdout, wrapped for 80 columns, coloured on a terminal. Imports clap's styles.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};

use clap::builder::styling::{AnsiColor, Style};

use super::watch::StoryError;

/// Where lines are broken.
const COLUMNS_MAX: usize = 79;

const PLAIN: Style = Style::new();
const TITLE: Style = Style::new().bold();
const PROVEN: Style = AnsiColor::Green.on_default();

/// Speaks to stdout.
pub struct Voice {
    colours: bool,
}

impl Voice {
    /// In colours on a terminal, unless `NO_COLOR` is set.
    pub fn of_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colours: io::stdout().is_terminal() && !refused }
    }

    /// A heading.
    ///
    /// # Errors
    /// Here and below: when nobody listens any more.
    pub fn title(&self, text: &str) -> Result<(), StoryError> {
        self.say(TITLE, text)?;
        self.say(PLAIN, "")
    }

    /// A paragraph.
    pub fn tell(&self, text: &str) -> Result<(), StoryError> {
        for line in wrapped(text, COLUMNS_MAX) {
            self.say(PLAIN, &line)?;
        }
        self.say(PLAIN, "")
    }

    /// Lines to look at or to paste, as they are.
    pub fn show(&self, lines: impl IntoIterator<Item = impl Display>) -> Result<(), StoryError> {
        for line in lines {
            self.say(PLAIN, &format!("  {line}"))?;
        }
        self.say(PLAIN, "")
    }

    /// What was checked and found to be as told.
    pub fn proven(&self, text: &str) -> Result<(), StoryError> {
        for (number, line) in wrapped(text, COLUMNS_MAX - 2).iter().enumerate() {
            let mark = if number == 0 { "✓" } else { " " };
            self.say(PROVEN, &format!("{mark} {line}"))?;
        }
        self.say(PLAIN, "")
    }

    fn say(&self, style: Style, line: &str) -> Result<(), StoryError> {
        let style = if self.colours { style } else { PLAIN };
        let mut out = io::stdout().lock();
        writeln!(out, "{style}{line}{style:#}").and_then(|()| out.flush()).map_err(|_| StoryError::Unheard)
    }
}

fn wrapped(text: &str, columns_max: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last().map_or(0, |line| line.chars().count());
        if last > 0 && last + 1 + word.chars().count() > columns_max {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_move_to_the_next_line_when_they_do_not_fit() {
        assert_eq!(wrapped("one two  three\n four", 9), ["one two", "three", "four"]);
        assert_eq!(wrapped("one two", 7), ["one two"]);
        assert_eq!(wrapped("unbreakable a", 4), ["unbreakable", "a"]);
        assert_eq!(wrapped("", 4), [""]);
    }
}
