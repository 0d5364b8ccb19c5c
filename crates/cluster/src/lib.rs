//! One pure state of nodes, pods and volumes, as placement sees them.
//!
//! Events go in, views come out: the scheduler's loop owns a [`State`] and applies what the caches say and what it has
//! just decided itself; explain, what-if and the page read a [`View`], which is cheap to make and never changes.
//!
//! | room | what it holds |
//! |---|---|
//! | [`read`] | Kubernetes' Node, Pod and objects of storage in placement's words, with what could not be read |
//! | [`state`] | events in |
//! | [`selectors`] | which pods are of one kind, as Services and workloads say |
//! | [`learned`] | what pods ask of the network that do not say it themselves |
//! | [`view`], [`cell`] | views out, and the page's rows |
//!
//! ```
//! use keelson_cluster::{Event, State};
//! use serde_json::json;
//! let mut state = State::default();
//! let node = json!({"metadata": {"name": "n1"}, "status": {"allocatable": {"cpu": "4", "pods": "110"}}});
//! let pod = json!({"metadata": {"name": "cart", "namespace": "shop", "uid": "1"}, "spec": {"nodeName": "n1",
//!     "containers": [{"name": "c", "resources": {"requests": {"cpu": "500m"}}}]}});
//! state.apply(Event::node(&serde_json::from_value(node)?));
//! let before = state.view();
//! state.apply(Event::pod(&serde_json::from_value(pod)?));
//! let pods = |view: &keelson_cluster::View| view.member("n1").map(|member| member.node.pod_count());
//! assert_eq!((pods(&before), pods(&state.view())), (Some(0), Some(1)), "a view never changes");
//! # Ok::<(), serde_json::Error>(())
//! ```

pub mod blocks;
pub mod cell;
pub mod learned;
pub mod read;
pub mod selectors;
pub mod state;
pub mod view;

pub use cell::Cell;
pub use learned::Learned;
pub use read::{Problem, ReadNode, ReadPod, ReadVolumes};
pub use selectors::Selectors;
pub use state::{Event, Heard, State, Traffic, Wanted};
pub use view::{Member, Nominated, View};
