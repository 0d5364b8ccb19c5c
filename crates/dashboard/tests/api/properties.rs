//! Laws over any input.

use axum::body::Body;
use http::{Request, Uri};
use proptest::prelude::*;

use crate::fake::{HOST, Site, get, post};

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}

/// Parameters as people mistype them, and anything at all.
fn query() -> impl Strategy<Value = String> {
    let names = "feature|verb|reason|outcome|kind|namespace|name|q|since|until|before|limit|mode|x";
    let values = "Place|Wait|PodPlaced|scheduling|[0-9]{1,20}|-?[0-9]{1,4}|2026-[01][0-9]-[0-3][0-9]T[0-9:]{8}Z|%[0-9A-F]{2}|[!-~]{0,12}";
    let pair = (names, values).prop_map(|(name, value)| format!("{name}={value}"));
    prop_oneof![prop::collection::vec(pair, 0..5).prop_map(|pairs| pairs.join("&")), "[ -~]{0,80}"]
}

proptest! {
    #[test]
    fn any_query_is_answered_or_refused_by_name(query in query(), path in 0..4_usize) {
        let path = ["decisions", "decisions/export", "features/scheduling/preview", "overview"][path];
        let Ok(uri) = format!("/api/v1/{path}?{query}").parse::<Uri>() else { return Ok(()) };
        let answer = run(async { Site::new().answer(Request::get(uri).header("host", HOST).body(Body::empty()).unwrap()).await });
        if answer.status != 200 {
            let (status, category, field) = answer.refusal();
            prop_assert_eq!((status, category.as_str()), (400, "invalid"));
            prop_assert!(!field.is_empty());
        }
    }

    #[test]
    fn any_path_is_answered_or_refused(path in "(/(api|v1|features|scheduling|subjects|why|Pod|-|%[0-9A-F]{2}|[!-~]{0,6})){0,7}") {
        let Ok(uri) = path.parse::<Uri>() else { return Ok(()) };
        if uri.path().is_empty() || uri.path().starts_with("//") || uri.authority().is_some() { return Ok(()) }
        let answer = run(async { Site::new().answer(get(&uri.to_string()).body(Body::empty()).unwrap()).await });
        let status = answer.status.as_u16();
        prop_assert!(matches!(status, 200 | 400 | 404 | 405), "{} {}", status, uri);
        if status != 200 {
            answer.refusal();
        }
    }

    #[test]
    fn any_body_is_answered_or_refused_by_field(body in prop_oneof![
        "[ -~]{0,60}",
        Just(r#"{"mode":"Observe","confirm":"Observe scheduling"}"#.to_owned()),
        r#"\{"(mode|confirm|paused)":("[A-Za-z ]{0,20}"|true|null|[0-9]{1,4})\}"#,
    ], path in 0..3_usize) {
        let path = format!("/api/v1/features/scheduling/{}", ["mode", "pause", "ask/what-if"][path]);
        let site = Site::new();
        let answer = run(site.answer(post(&path).body(Body::from(body)).unwrap()));
        if answer.status != 200 {
            let (status, category, field) = answer.refusal();
            prop_assert_eq!((status, category.as_str()), (400, "invalid"));
            prop_assert!(!field.is_empty());
        }
    }
}
