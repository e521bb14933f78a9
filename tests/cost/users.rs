//! Many users with a secret each, who send the same request.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use ouli_cassette::CassetteDir;
use ouli_config::Limits;
use ouli_matching::key::Key;
use ouli_message::{Exchange, Fields};
use ouli_proxy::session::{ExhaustedPolicy, Index, LookupResult, Sessions};

use super::cassettes::text;
use super::exchanges::{exchange, plugins};
use super::{Shape, Work};

/// Bytes of a shape for each user.
const EACH: usize = 32;

/// An order in which users send their requests again.
type Order = fn(usize) -> Vec<usize>;

const ORDERS: [(&str, Order); 4] = [
    ("users in the recorded order", |count| (0..count).collect()),
    ("users in reverse order", |count| (0..count).rev().collect()),
    ("one user", |count| vec![0; count]),
    ("users of whom each comes twice", |count| {
        (0..count).chain((0..count).rev()).collect()
    }),
];

pub(super) fn shapes() -> Vec<Shape> {
    let shape = |(name, order): (&'static str, Order)| Shape {
        name,
        run: Box::new(move |n| {
            let users = Users::new(n / EACH);
            let order = order(n / EACH);
            Work {
                size: n,
                work: Box::new(move || users.ask(&order)),
            }
        }),
    };
    ORDERS.into_iter().map(shape).collect()
}

/// The index of a session, and the key of each user's request.
struct Users {
    index: Index,
    keys: Vec<Key>,
}

fn request(token: &str) -> Exchange {
    let mut made = exchange("/me", "", b"");
    let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
    let name = HeaderName::from_static("authorization");
    made.request.fields = [(name, value)].into_iter().collect();
    made
}

impl Users {
    fn new(count: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let recorded = (1..=count).map(|number| request(&format!("<token-{number}>")));
        std::fs::write(folder.path().join("default.jsons"), text(recorded)).unwrap();
        let folder = Arc::new(CassetteDir::open(folder.path(), 1 << 30).unwrap());
        let sessions = Sessions::new(Arc::clone(&folder), &Limits::default(), Vec::new());
        let session = sessions.get_or_create("default").unwrap();
        sessions.load(&session, false).unwrap();
        let plugins = plugins();
        let key = |number: usize| {
            let token = format!("tk{:020x}Zq", (number + 1) * 7_919_773_331);
            let (endpoint, name) = ("api".into(), Arc::clone(session.name()));
            let request = Arc::new(request(&token).request);
            let secrets = session.secrets();
            let view = plugins.view(endpoint, name, request, Arc::clone(secrets));
            plugins.key(&view.unwrap(), secrets).unwrap().key
        };
        Self {
            keys: (0..count).map(key).collect(),
            index: Index::build(Arc::clone(&session), plugins, folder),
        }
    }

    /// Looks up the requests of these users. Each of them stands for one of the recorded users.
    fn ask(&self, order: &[usize]) {
        let mut claimed = Vec::new();
        for user in order {
            let policy = ExhaustedPolicy::Repeat;
            match self
                .index
                .find(&self.keys[*user], &Fields::default(), policy)
            {
                LookupResult::Hit(entry) => claimed.push(entry),
                other => panic!("user {user}: {other:?}"),
            }
        }
        assert_eq!(claimed.len(), order.len());
    }
}
