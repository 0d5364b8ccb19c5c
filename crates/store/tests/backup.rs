//! A backup is one moment of a store, whole, and either engine is made from it: SQLite from PostgreSQL's and PostgreSQL
//! from SQLite's. What cannot be restored is refused in a sentence and changes nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;
use std::time::Duration;

use keelson_core::decision::Outcome;
use keelson_core::{Decision, Feature, ObjectRef, Span, Timestamp};
use keelson_store::backup::{BackupError, Counts};
use keelson_store::{Entry, Filter, Resolution, Retention, SqliteStore, Store};
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

#[path = "support/decisions.rs"]
mod decisions;
#[path = "support/postgres.rs"]
mod postgres;

use decisions::{decision, effect, id, pending};

const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

/// One of everything that a store can hold, and enough decisions for several pages.
async fn fill(store: &dyn Store) {
    let cause = Decision { inputs: [("nodes".to_owned(), "102".to_owned())].into(), ..decision(1, "cause") };
    let led_to = Decision {
        causes: vec![id(1), id(77)],
        cause_count: 2,
        related: vec![ObjectRef::cluster("Node", "node-3")],
        sentence: "Näher: \u{0} \" \\ 'x'; 漢字 🚢\n".to_owned(),
        ..pending(900)
    };
    store.record(&[cause, led_to]).await.unwrap();
    let minute = Retention { age: Span::seconds(60), stub_age: Span::hours(9_999), ..Retention::default() };
    store.record(&[decision(500, "steady"), decision(510, "steady"), decision(520, "steady")]).await.unwrap();
    assert_eq!(store.sweep(Timestamp(400_000_000), &minute).await.unwrap().stubs, 1);
    store.record(&(1_000..2_100).map(|n| decision(n, &format!("p{n}"))).collect::<Vec<_>>()).await.unwrap();
    let entries = [
        Entry::Decision(Arc::new(pending(901))),
        Entry::Recording { id: id(901), bytes: b"{\"pods\": 3}".to_vec() },
        Entry::Recording { id: id(900), bytes: vec![0, 255, 10] },
        Entry::Outcome { id: id(901), outcome: Outcome::Failed, steps: Vec::new() },
        Entry::Effect { id: id(901), effect: effect("never ran") },
    ];
    store.apply(&entries).await.unwrap();
    store.state_put(Feature::Scheduling, "z", 0, 7, b"text").await.unwrap();
    store.state_put(Feature::Scheduling, "a_", 0, 7, &[1, 254]).await.unwrap();
    store.state_put(Feature::Scheduling, "a_", 1, 9, &[2, 254]).await.unwrap();
    for second in 0..200 {
        store.sample("pods", Timestamp(second * 30_000_000), second).await.unwrap();
    }
    store.sample("Nodes", Timestamp(0), -4).await.unwrap();
}

/// The lines after the header, and what the backup says it wrote.
macro_rules! lines {
    ($store:expr) => {{
        let mut out = Vec::new();
        let counts = $store.backup(NOW, &mut out).await.unwrap();
        let text = String::from_utf8(out).unwrap();
        let (header, lines) = text.split_once('\n').unwrap();
        assert!(header.starts_with(r#"{"keelson":{"format":1,"schema":"#), "{header}");
        (text.clone(), lines.to_owned(), counts)
    }};
}

/// That a restored store is as good as the first: it folds, fences, finds and sweeps as that one would.
async fn works(store: &dyn Store) {
    store.record(&[decision(515, "steady"), decision(530, "steady")]).await.unwrap();
    let steady = store.decision(id(500)).await.unwrap().unwrap();
    assert_eq!(steady.count, 4, "a repeat that was counted before the backup is not counted again, and a new one is");
    store.record(&[decision(600, "cause")]).await.unwrap();
    assert!(store.decision(id(600)).await.unwrap().is_some(), "nothing folds into a stub");
    let refused = store.state_put(Feature::Scheduling, "a_", 2, 8, b"late").await.unwrap_err();
    assert_eq!(refused.category(), "fenced");
    assert_eq!(store.state_put(Feature::Scheduling, "a_", 2, 9, b"next").await.unwrap(), 3);
    assert_eq!(store.caused_by(id(1), 9).await.unwrap().len(), 1);
    let node = Filter { about: Some(ObjectRef::cluster("Node", "node-3")), ..Filter::default() };
    assert_eq!(store.decisions(&node).await.unwrap().decisions.len(), 1);
    assert_eq!(store.recording(id(900)).await.unwrap(), Some(vec![0, 255, 10]));
    assert_eq!(store.samples("pods", Timestamp(0), Resolution::Hour).await.unwrap().len(), 2);
    let none = Retention { per_feature: keelson_store::Quota { decisions: 0, bytes: 0 }, ..Retention::default() };
    while store.sweep(Timestamp(0), &none).await.unwrap().is_partial() {}
    while store.sweep(Timestamp(0), &none).await.unwrap().total() > 0 {}
    assert_eq!(store.decisions(&Filter::default()).await.unwrap().decisions, [], "what was restored is counted");
}

#[tokio::test]
async fn each_engine_is_made_from_the_others_backup_and_gives_the_same_one() {
    let (server, dir) = (postgres::Server::start(), tempfile::tempdir().unwrap());
    let sqlite = async |name: &str| SqliteStore::open(&dir.path().join(name)).await.unwrap();

    let (first, there, back) = (sqlite("first.db").await, server.store("there").await, sqlite("back.db").await);
    fill(&first).await;
    let (file, lines, counts) = lines!(first);
    let expected =
        Counts { decisions: 1_104, recordings: 2, states: 2, series: 2, samples: 200 + 100 + 2 + 3, left_out: 0 };
    assert_eq!(counts, expected);
    assert_eq!(there.restore(&mut file.as_bytes()).await.unwrap(), counts);
    let (file, of_there, _) = lines!(there);
    assert!(of_there == lines, "PostgreSQL holds what SQLite held");
    assert_eq!(back.restore(&mut file.as_bytes()).await.unwrap(), counts);
    assert!(lines!(back).1 == lines, "and SQLite again");

    let (other, second) = (server.store("other").await, server.store("second").await);
    fill(&other).await;
    let (file, of_other, _) = lines!(other);
    assert!(of_other == lines, "the same content gives the same lines, whichever engine was filled");
    second.restore(&mut file.as_bytes()).await.unwrap();
    for store in [&first as &dyn Store, &there, &back, &second] {
        works(store).await;
    }
}

#[tokio::test]
async fn what_cannot_be_restored_is_refused_and_nothing_is_changed() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&dir.path().join("full.db")).await.unwrap();
    fill(&store).await;
    let (file, lines, _) = lines!(store);
    let full = store.restore(&mut file.as_bytes()).await.unwrap_err();
    assert!(matches!(full, BackupError::NotEmpty) && full.to_string().contains("into a new one"), "{full}");
    assert!(lines!(store).1 == lines);

    let empty = SqliteStore::open(&dir.path().join("empty.db")).await.unwrap();
    let cut = &file[..file.len() * 2 / 3];
    let between_lines = &file[..cut.rfind('\n').unwrap() + 1];
    let one_less = file.replacen(&format!("{}\n", file.lines().nth(5).unwrap()), "", 1);
    let newer = file.replacen(r#""schema":"#, r#""schema":9"#, 1);
    for (file, words) in [
        (cut, "cut or damaged: line"),
        (between_lines, "ends before its last line"),
        (&one_less, "fewer lines than it says"),
        (&newer, "run the newer keelson"),
        (&file.replacen(r#""format":1"#, r#""format":2,"new":true"#, 1), "run the newer keelson"),
        ("", "no backup of keelson"),
        ("a diary\n", "no backup of keelson"),
        (&file.replacen(r#""hex":"00"#, r#""hex":"0x"#, 1), "not hexadecimal"),
    ] {
        let refused = empty.restore(&mut file.as_bytes()).await.unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
        assert_eq!(empty.decisions(&Filter::default()).await.unwrap().decisions, [], "{words}");
    }
    empty.restore(&mut file.as_bytes()).await.expect("nothing of all that is in the way");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_left_out_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keelson.db");
    let store = SqliteStore::open(&path).await.unwrap();
    store.record(&[decision(1, "a"), decision(2, "b")]).await.unwrap();
    let mut conn = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    sqlx::raw_sql("UPDATE decision SET body = '{\"verb\": \"Juggle\"}' WHERE name = 'b'")
        .execute(&mut conn)
        .await
        .unwrap();
    let (file, _, counts) = lines!(store);
    assert_eq!((counts.decisions, counts.left_out), (1, 1));
    let fresh = SqliteStore::open(&dir.path().join("fresh.db")).await.unwrap();
    assert_eq!(fresh.restore(&mut file.as_bytes()).await.unwrap().decisions, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_one_moment_however_much_is_written_meanwhile() {
    let (server, dir) = (postgres::Server::start(), tempfile::tempdir().unwrap());
    let (sqlite, postgres) =
        (SqliteStore::open(&dir.path().join("keelson.db")).await.unwrap(), server.store("moment").await);
    macro_rules! one_moment {
        ($store:expr) => {{
            let store = $store;
            let both = |n| [pending(n), pending(1_000_000 + n)];
            store.record(&(1..1_500).flat_map(both).collect::<Vec<_>>()).await.unwrap();
            let writer = store.clone();
            let writing = tokio::spawn(async move {
                for n in 1_500.. {
                    writer.record(&both(n)).await.unwrap();
                }
            });
            for _ in 0..3 {
                let (_, lines, counts) = lines!(store);
                let names = |from: &str| lines.matches(from).count();
                assert_eq!(counts.decisions % 2, 0, "two of one transaction are both there or neither is");
                assert_eq!(names(r#""name":"p"#), usize::try_from(counts.decisions).unwrap());
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
            writing.abort();
        }};
    }
    one_moment!(sqlite);
    one_moment!(postgres);
}
