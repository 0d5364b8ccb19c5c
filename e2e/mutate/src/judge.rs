//! Which mutants the tests catch.
//!
//! Each test program runs once without a mutant: that it passes, how long it takes, and which mutants it asks about. A
//! mutant is then tried by the programs that ask about it, the quickest first, until one fails.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use crate::compile::Program;
use crate::copy::place;
use crate::trial::{End, Told, now, run};

/// A mutant hangs when a program takes so many times what it took without, and [`GRACE`] more.
const PATIENCE: u32 = 10;
/// Other programs run beside it, and may take its processor for a while: what was only slow must not count as caught.
const GRACE: Duration = Duration::from_secs(60);
/// The longest that a program may take without a mutant.
const LONGEST: Duration = Duration::from_secs(600);

/// A test program that is known to pass.
#[derive(Debug)]
struct Known {
    program: Program,
    took: Duration,
    asks: BTreeSet<usize>,
}

/// Test programs, the quickest first.
#[derive(Debug)]
pub struct Judge(Vec<Known>);

impl Judge {
    /// Runs every program without a mutant.
    ///
    /// # Errors
    /// When one fails so.
    pub fn of(programs: Vec<Program>) -> Result<Self, String> {
        let mut known = Vec::new();
        at_once(programs, know, |of| known.push(of));
        let mut known = known.into_iter().collect::<Result<Vec<_>, _>>()?;
        known.sort_by_key(|known| known.took);
        for Known { program, took, asks } in &known {
            println!("  {:<28} {:>6.1} s, asks about {}", program.name, took.as_secs_f64(), asks.len());
        }
        Ok(Self(known))
    }

    /// Tries mutants, and says who caught each: which program, and which test of it.
    ///
    /// # Errors
    /// When a program cannot be started.
    pub fn try_all(
        &self,
        mutants: impl IntoIterator<Item = usize>,
        mut say: impl FnMut(usize, Option<&str>),
    ) -> Result<BTreeMap<usize, Option<String>>, String> {
        let (mut ends, mut wrong) = (BTreeMap::new(), Ok(()));
        let judged = |mutant| (mutant, self.judge(mutant));
        at_once(mutants, judged, |(mutant, end)| match end {
            Ok(by) => {
                say(mutant, by.as_deref());
                ends.insert(mutant, by);
            }
            Err(error) => wrong = Err(error),
        });
        wrong.map(|()| ends)
    }

    fn judge(&self, mutant: usize) -> Result<Option<String>, String> {
        for Known { program, took, .. } in self.0.iter().filter(|known| known.asks.contains(&mutant)) {
            if let End::Failed(how) = run(program, &Told::Try(mutant), *took * PATIENCE + GRACE)? {
                return Ok(Some(format!("{}: {how}", program.name)));
            }
        }
        Ok(None)
    }
}

fn know(program: Program) -> Result<Known, String> {
    let file = place().join(format!("asked {}", program.name));
    let _ = fs::remove_file(&file);
    let began = now();
    if let End::Failed(how) = run(&program, &Told::Note(&file), LONGEST)? {
        return Err(format!("{} fails without a mutant: {how}", program.name));
    }
    let took = began.elapsed();
    let asks = fs::read_to_string(&file).unwrap_or_default().lines().filter_map(|line| line.parse().ok()).collect();
    Ok(Known { program, took, asks })
}

/// Does something with each, as many at once as there are processors.
fn at_once<T: Send, R: Send>(each: impl IntoIterator<Item = T>, work: impl Fn(T) -> R + Sync, mut done: impl FnMut(R)) {
    let queue: Mutex<VecDeque<T>> = Mutex::new(each.into_iter().collect());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    std::thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let (tell, next, work) = (tell.clone(), &next, &work);
            scope.spawn(move || {
                while let Some(one) = next() {
                    if tell.send(work(one)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(tell);
        told.into_iter().for_each(&mut done);
    });
}
