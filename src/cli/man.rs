//! `hama man`: the pages of this manual for `man`.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};
use clap_mangen::Man as Page;
use hama::Error;
use hama::files::{NewFile, NewFileOptions};
use serde::Serialize;

use super::failure::Failure;
use super::output::Output;
use super::session::{new_file, taken};
use super::{Cli, Global};

const EXAMPLES: &str = "\
Examples:
  hama man ~/.local/share/man/man1        write a page of each verb; then `man hama-matrix-multiply`
  hama man | man -l -                     read the first page";

/// Write the pages of the manual
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Man {
    /// The folder for all pages, made where it is missing; without one the first page is printed
    folder: Option<PathBuf>,
    /// Replace pages that are there
    #[arg(long, requires = "folder")]
    replace: bool,
}

#[derive(Serialize)]
struct ManReport {
    folder: Option<String>,
    files: Vec<String>,
    page: Option<String>,
}

impl Man {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let mut command = Cli::command().disable_help_subcommand(true);
        command.build();
        let Some(folder) = &self.folder else {
            let page = Some(rendered(&command)?);
            return output.report(&ManReport { folder: None, files: Vec::new(), page });
        };
        std::fs::create_dir_all(folder)
            .map_err(|error| Error::io(format!("cannot make the folder {}", folder.display()), error))?;
        let mut files = Vec::new();
        write_all(&command, folder, new_file(global, self.replace), &mut files)?;
        output.report(&ManReport { folder: Some(folder.display().to_string()), files, page: None })
    }
}

/// Writes the page of a command and those of its verbs.
fn write_all(
    command: &Command,
    folder: &Path,
    new: NewFileOptions,
    files: &mut Vec<String>,
) -> Result<(), Failure> {
    let name = format!("{}.1", name_of(command));
    let path = folder.join(&name);
    let file = NewFile::beside(&path, new).map_err(taken)?;
    let page = rendered(command)?;
    let mut bytes = file.file();
    bytes
        .write_all(page.as_bytes())
        .map_err(|error| Error::io(format!("cannot write {}", path.display()), error))?;
    file.publish().map_err(taken)?;
    files.push(name);
    command.get_subcommands().try_for_each(|verb| write_all(verb, folder, new, files))
}

/// `hama-matrix-show`, as pages and their references are called.
fn name_of(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

/// The page of a command, in roff.
fn rendered(command: &Command) -> hama::Result<String> {
    let mut page = Vec::new();
    let version = concat!("hama ", env!("CARGO_PKG_VERSION"));
    Page::new(command.clone())
        .source(version)
        .manual("Hama")
        .render(&mut page)
        .map_err(|error| Error::io("cannot write a page of the manual", error))?;
    let page =
        String::from_utf8(page).map_err(|error| Error::internal("the page is no text").with_source(error))?;
    // What stands last in a help is of examples, each of a line, which roff would fill into a paragraph.
    let Some((before, after)) = page.split_once(".SH EXTRA\n") else { return Ok(page) };
    let after = after.trim_start_matches("Examples:\n").trim_start_matches("Example:\n");
    let (examples, rest) = match after.split_once(".SH ") {
        Some((examples, rest)) => (examples, format!(".SH {rest}")),
        None => (after, String::new()),
    };
    Ok(format!("{before}.SH EXAMPLES\n.nf\n{}\n.fi\n{rest}", examples.trim_end()))
}

impl fmt::Display for ManReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.page, &self.folder) {
            (Some(page), _) => f.write_str(page),
            (None, folder) => {
                writeln!(f, "{} pages in {}", self.files.len(), folder.as_deref().unwrap_or("."))
            }
        }
    }
}
