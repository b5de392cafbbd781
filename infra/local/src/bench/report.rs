//! The figures as plain text, with the goals beside them.

use std::{io::Write, time::Duration};

use anyhow::Result;

/// Writes as the figures come, and counts the goals.
pub(super) struct Report<'w> {
    out: &'w mut dyn Write,
    met: usize,
    missed: Vec<String>,
}

impl<'w> Report<'w> {
    pub(super) fn new(out: &'w mut dyn Write) -> Self {
        Self { out, met: 0, missed: Vec::new() }
    }

    /// A line of text.
    pub(super) fn text(&mut self, text: impl AsRef<str>) -> Result<()> {
        writeln!(self.out, "{}", text.as_ref())?;
        Ok(self.out.flush()?)
    }

    /// A heading.
    pub(super) fn section(&mut self, title: &str) -> Result<()> {
        self.text(format!("\n{title}\n{}", "-".repeat(title.chars().count())))
    }

    /// A figure and what it is.
    pub(super) fn figure(&mut self, name: &str, figure: impl AsRef<str>) -> Result<()> {
        self.text(format!("  {name:<44} {}", figure.as_ref()))
    }

    /// A figure that there is a goal for, in words, and whether it is met.
    pub(super) fn goal(
        &mut self,
        name: &str,
        figure: impl AsRef<str>,
        goal: &str,
        is_met: bool,
    ) -> Result<()> {
        let verdict = if is_met { "goal met" } else { "GOAL MISSED" };
        match is_met {
            true => self.met += 1,
            false => self.missed.push(name.to_owned()),
        }
        self.figure(name, format!("{}   (goal: {goal}) {verdict}", figure.as_ref()))
    }

    /// What the goals came to.
    pub(super) fn end(mut self, took: Duration) -> Result<()> {
        self.section("Goals")?;
        let (met, missed) = (self.met, self.missed.join("; "));
        self.figure("met", met.to_string())?;
        self.figure("missed", if missed.is_empty() { "none" } else { &missed })?;
        self.text(format!(
            "\nMeasured in one run of {} s. The exit code is 0 whether or not goals are met: it says \
             that the measuring worked.",
            took.as_secs()
        ))
    }
}
