//! `hama demo`: two random matrices, their product, and what can be done next, in lines that run as printed.

mod own;

use std::fmt;

use hama::table::StorePath;
use hama::{DenseMatrix, Seed};
use serde::Serialize;

use super::Global;
use super::count::count;
use super::failure::Failure;
use super::info::Summary;
use super::made::Dtype;
use super::multiply::{self, MultiplyReport};
use super::output::{Output, warn};
use super::progress::{Task, Unit};
use super::rates::Known;
use super::session::{Access, Session, store_url, taken, target};
use super::size::Size;

const A: &str = "demo-a";
const B: &str = "demo-b";
const C: &str = "demo-c";
const SEED_A: Seed = Seed(1);
const SEED_B: Seed = Seed(2);
const PYTHON: &str = "hama-python/bin/python";

/// See all of it work: make two random matrices, multiply them, verify the product
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  hama demo --size 1000\n\nAgain: reuses demo-a and demo-b and replaces demo-c.\n\
                  Matrices of these names that somebody else made are left alone: it ends with 3."
)]
pub(crate) struct Demo {
    /// Rows and columns of both matrices
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = count::<u64>, default_value_t = 4000)]
    size: u64,
}

#[derive(Serialize)]
struct DemoReport {
    #[serde(flatten)]
    product: MultiplyReport,
    operands: [Summary; 2],
    folders: [Option<String>; 3],
    remove: String,
    next: Vec<Next>,
}

/// A line to type next.
#[derive(Serialize)]
struct Next {
    what: &'static str,
    line: String,
}

impl Demo {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        // Before a store is made for it.
        Dtype::F64.check(C, (self.size, self.size))?;
        let rates = Known::load(&global.settings).rates;
        let session = Session::open_with(global, Access::Create, |builder| builder.rates(rates))?;
        // All of them before the first is replaced.
        let a = own::own(&session, A, |matrix| own::is_operand(matrix, SEED_A))?;
        let b = own::own(&session, B, |matrix| own::is_operand(matrix, SEED_B))?;
        let c = own::own(&session, C, own::is_product)?;
        let a = operand(&session, global, a, A, (self.size, SEED_A))?;
        let b = operand(&session, global, b, B, (self.size, SEED_B))?;
        let product = a.mult(&b)?;
        let plan = product.plan()?;
        output.tell(format!("{plan}\n\n"))?;
        let finished = multiply::run(&session, plan, |plan| product.run_plan(plan, target(C, c.is_some())))?;
        let verification = multiply::verify(&session, &a, &b, &finished)?;
        let operands = [Summary::of(&session, a.table()?), Summary::of(&session, b.table()?)];
        let product = MultiplyReport::of(
            Summary::of(&session, finished.matrix.table()?),
            finished,
            Some(verification),
            None,
        );
        let folders = [A, B, C].map(|name| folder(&session, name));
        let (remove, next) = lines(global, self.size, folders[2].as_deref());
        output.report(&DemoReport { product, operands, folders, remove, next })
    }
}

/// The operand `name`: the one that is there where it has this size, else a new one in its place.
fn operand(
    session: &Session,
    global: &Global,
    there: Option<DenseMatrix<f64>>,
    name: &str,
    (size, seed): (u64, Seed),
) -> Result<DenseMatrix<f64>, Failure> {
    let replace = there.is_some();
    if let Some(same) = there.filter(|matrix| matrix.shape() == (size, size)) {
        return Ok(same);
    }
    if !global.quiet && !global.json {
        warn(&format!("making {name}: {size} x {size} f64\n"));
    }
    let task = Task { label: format!("making {name}"), total: size * size * 8, unit: Unit::Bytes };
    let shown = session.show(task);
    let made =
        DenseMatrix::random(&session.hama, target(name, replace), (size, size), seed).map_err(taken)?;
    drop(shown);
    Ok(made)
}

/// The folder of a matrix, where it has one.
fn folder(session: &Session, name: &str) -> Option<String> {
    let path = session.hama.store().local_path(&StorePath::new(name).ok()?)?;
    Some(path.display().to_string())
}

/// The line that removes what the demo leaves, and the lines to type next.
fn lines(global: &Global, size: u64, folder: Option<&str>) -> (String, Vec<Next>) {
    let program = std::env::args_os().next().unwrap_or_else(|| "hama".into());
    let mut hama = quoted(&program.to_string_lossy());
    if global.store.is_some() {
        hama = format!("{hama} --store {}", quoted(&store_url(global)));
    }
    let mut next = vec![Next {
        what: "look at a corner",
        line: format!("{hama} matrix show {C} --rows 0..5 --cols 0..5"),
    }];
    next.push(Next {
        what: "get a Python environment with zarr and numpy",
        line: "python3 -m venv hama-python && hama-python/bin/pip install --quiet zarr".into(),
    });
    if let Some(folder) = folder {
        let script = "import sys, zarr; print(zarr.open(sys.argv[1], mode=\"r\")[:3, :3])";
        let array = quoted(&format!("{folder}/current/values"));
        next.push(Next { what: "open it in Python", line: format!("{PYTHON} -c '{script}' {array}") });
    }
    let script = format!("import numpy; numpy.save(\"mine.npy\", numpy.random.rand(500, {size}))");
    next.extend([
        Next { what: "make a .npy of your own", line: format!("{PYTHON} -c '{script}'") },
        Next { what: "import it", line: format!("{hama} matrix import mine.npy mine") },
        Next {
            what: "multiply it",
            line: format!("{hama} matrix multiply mine {A} --output mine-a --verify"),
        },
    ]);
    (format!("{hama} matrix remove {A} {B} {C}"), next)
}

/// A word of a shell's command line.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

impl fmt::Display for DemoReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let product = &self.product;
        let verified =
            if product.verification.as_ref().is_some_and(|v| v.passed) { "verified" } else { "not verified" };
        let size = product.output.rows;
        writeln!(
            f,
            "{:.2} s, {verified}: {size} x {size} times {size} x {size}, from files to a file",
            product.seconds
        )?;
        write!(f, "{:.1} GFLOP/s", product.gflop_per_s)?;
        match product.memory_bytes_peak {
            Some(bytes) => writeln!(f, ", {} of memory at most", Size(bytes))?,
            None => writeln!(f)?,
        }
        if let Some(verification) = &product.verification {
            writeln!(f, "{verification}")?;
        }
        writeln!(f, "\nwhat lies where:")?;
        for (table, folder) in self.operands.iter().chain([&product.output]).zip(&self.folders) {
            let folder = folder.as_deref().unwrap_or("in the store");
            writeln!(f, "  {}  {:>9}  {folder}", table.name, Size(table.bytes).to_string())?;
        }
        writeln!(f, "remove it:\n  {}", self.remove)?;
        writeln!(f, "\nnext:")?;
        self.next.iter().try_for_each(|next| writeln!(f, "  # {}\n  {}", next.what, next.line))
    }
}
