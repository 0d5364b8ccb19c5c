//! `keelson store backup` and `restore`: a store as one file, and back, into either engine.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context, Result};
use keelson_runtime::Clock;
use keelson_store::backup::Counts;
use tokio::io::{AsyncWriteExt as _, BufReader, BufWriter};

use crate::cli::{Backup, StoreCommand};
use crate::store;

/// Backs up or restores, and says what there was: on standard error, because the backup itself may be the output.
///
/// # Errors
/// What is wrong with the store or the file, and the fix.
pub async fn run(args: &StoreCommand) -> Result<()> {
    match args {
        StoreCommand::Backup(args) => {
            let counts = backup(args).await?;
            eprintln!("backed up {}", words(&counts));
            if counts.left_out > 0 {
                eprintln!("left out {} decisions that cannot be read", counts.left_out);
            }
        }
        StoreCommand::Restore(args) => eprintln!("restored {}", words(&restore(args).await?)),
    }
    Ok(())
}

fn is_standard(file: &Path) -> bool {
    file.as_os_str() == "-"
}

async fn backup(args: &Backup) -> Result<Counts> {
    let now = Clock::system().now();
    if is_standard(&args.file) {
        return store::backup(&args.database, now, &mut tokio::io::stdout()).await;
    }
    // It holds what the store holds: for its owner alone.
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&args.file);
    let made = made.with_context(|| {
        format!("{} cannot be made; name a file that is not there yet, in a folder that is", args.file.display())
    })?;
    let written = async {
        let mut out = BufWriter::new(tokio::fs::File::from_std(made));
        let counts = store::backup(&args.database, now, &mut out).await?;
        out.flush().await?;
        out.get_ref().sync_all().await?;
        Ok(counts)
    };
    let written = written.await;
    if written.is_err() {
        // Half a backup under the name of a whole one helps nobody.
        let _ = std::fs::remove_file(&args.file);
    }
    written
}

async fn restore(args: &Backup) -> Result<Counts> {
    if is_standard(&args.file) {
        return store::restore(&args.database, &mut BufReader::new(tokio::io::stdin())).await;
    }
    let file = tokio::fs::File::open(&args.file).await;
    let file = file.with_context(|| format!("{} cannot be read", args.file.display()))?;
    store::restore(&args.database, &mut BufReader::new(file)).await
}

fn words(counts: &Counts) -> String {
    let Counts { decisions, recordings, states, series, .. } = counts;
    format!("{decisions} decisions, {recordings} recordings, {states} states and {series} series")
}
