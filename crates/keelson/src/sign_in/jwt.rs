//! Whether a JSON Web Token was signed by one of a provider's keys.
//!
//! Promises: a key is used only with the algorithms of its own kind, so that no token can choose how it is judged; `none` and
//! shared secrets are no algorithms here; what is not understood (RFC 7515's `crit`) is refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The largest token, in bytes.
const MOST: usize = 32 * 1024;

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum JwtError {
    /// It is no token.
    #[error("it is no JSON Web Token")]
    Form,
    /// It is signed in a way that is not accepted.
    #[error("it is signed in a way that is not accepted")]
    Algorithm,
    /// Nobody knows the key.
    #[error("it is signed with a key that the provider does not publish")]
    Key,
    /// It was not signed with that key.
    #[error("its signature is wrong")]
    Signature,
}

/// The keys that a provider publishes.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Keys {
    keys: Vec<Key>,
}

/// One of them. Others than for signatures, and of kinds that are not accepted, are passed over.
#[derive(Debug, Clone, Deserialize)]
struct Key {
    kty: String,
    #[serde(default)]
    kid: String,
    #[serde(default, rename = "use")]
    usage: String,
    #[serde(default)]
    alg: String,
    #[serde(default)]
    crv: String,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
}

#[derive(Deserialize)]
struct Head {
    alg: String,
    #[serde(default)]
    kid: String,
    crit: Option<Value>,
}

/// The claims of a token that one of the keys signed.
pub(super) fn claims(token: &str, keys: &Keys) -> Result<Map<String, Value>, JwtError> {
    if token.len() > MOST {
        return Err(JwtError::Form);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(JwtError::Form)?;
    let (head, body) = signed.split_once('.').ok_or(JwtError::Form)?;
    let head: Head = serde_json::from_slice(&bytes(head)?).map_err(|_| JwtError::Form)?;
    if head.crit.is_some() {
        return Err(JwtError::Algorithm);
    }
    let signature = bytes(signature)?;
    let mut fitting = keys.keys.iter().filter(|key| key.fits(&head)).peekable();
    if fitting.peek().is_none() {
        return Err(if is_known(&head.alg) { JwtError::Key } else { JwtError::Algorithm });
    }
    if !fitting.any(|key| key.signed(&head.alg, signed.as_bytes(), &signature)) {
        return Err(JwtError::Signature);
    }
    match serde_json::from_slice(&bytes(body)?) {
        Ok(Value::Object(claims)) => Ok(claims),
        _ => Err(JwtError::Form),
    }
}

fn is_known(alg: &str) -> bool {
    rsa(alg).is_some() || elliptic(alg).is_some()
}

fn rsa(alg: &str) -> Option<&'static RsaParameters> {
    match alg {
        "RS256" => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        "RS384" => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        "RS512" => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        "PS256" => Some(&signature::RSA_PSS_2048_8192_SHA256),
        _ => None,
    }
}

/// The curve of an algorithm, and how it is verified.
fn elliptic(alg: &str) -> Option<(&'static str, &'static dyn VerificationAlgorithm)> {
    match alg {
        "ES256" => Some(("P-256", &signature::ECDSA_P256_SHA256_FIXED)),
        "ES384" => Some(("P-384", &signature::ECDSA_P384_SHA384_FIXED)),
        _ => None,
    }
}

impl Key {
    /// Whether a token that says this of itself can have been signed with it.
    fn fits(&self, head: &Head) -> bool {
        let is_meant = head.kid.is_empty() || head.kid == self.kid;
        let is_for_this = matches!(self.usage.as_str(), "" | "sig") && (self.alg.is_empty() || self.alg == head.alg);
        let is_of_its_kind = match self.kty.as_str() {
            "RSA" => rsa(&head.alg).is_some(),
            "EC" => elliptic(&head.alg).is_some_and(|(curve, _)| curve == self.crv),
            _ => false,
        };
        is_meant && is_for_this && is_of_its_kind
    }

    fn signed(&self, alg: &str, message: &[u8], given: &[u8]) -> bool {
        if let Some(parameters) = rsa(alg) {
            let (Ok(n), Ok(e)) = (bytes(&self.n), bytes(&self.e)) else { return false };
            return RsaPublicKeyComponents { n, e }.verify(parameters, message, given).is_ok();
        }
        let (Some((_, how)), Ok(x), Ok(y)) = (elliptic(alg), bytes(&self.x), bytes(&self.y)) else { return false };
        UnparsedPublicKey::new(how, [vec![4], x, y].concat()).verify(message, given).is_ok()
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, JwtError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| JwtError::Form)
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use serde_json::json;

    use super::*;

    /// A provider's key, for tests.
    pub(crate) struct Signer(EcdsaKeyPair);

    impl Signer {
        pub(crate) fn new() -> Self {
            let (how, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
            let made = EcdsaKeyPair::generate_pkcs8(how, &random).unwrap();
            Self(EcdsaKeyPair::from_pkcs8(how, made.as_ref(), &random).unwrap())
        }

        pub(crate) fn published(&self, kid: &str) -> Value {
            let point = self.0.public_key().as_ref();
            let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
            json!({"kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "alg": "ES256", "x": x, "y": y})
        }

        pub(crate) fn sign(&self, head: &Value, claims: &Value) -> String {
            let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let signed = format!("{}.{}", part(head), part(claims));
            let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
        }
    }

    fn keys(published: &[Value]) -> Keys {
        serde_json::from_value(json!({ "keys": published })).unwrap()
    }

    #[test]
    fn a_token_is_believed_when_one_of_the_keys_signed_it() {
        let (ours, other) = (Signer::new(), Signer::new());
        let published = keys(&[other.published("a"), ours.published("b"), json!({"kty": "OKP", "crv": "Ed25519"})]);
        let token = ours.sign(&json!({"alg": "ES256", "kid": "b"}), &json!({"sub": "ada"}));
        assert_eq!(claims(&token, &published).unwrap()["sub"], "ada");
        let nameless = ours.sign(&json!({"alg": "ES256"}), &json!({"sub": "ada"}));
        assert_eq!(claims(&nameless, &published).unwrap()["sub"], "ada");
    }

    #[test]
    fn no_token_chooses_how_it_is_judged() {
        let (ours, other) = (Signer::new(), Signer::new());
        let published = keys(&[ours.published("a")]);
        let signed = |head: Value| claims(&ours.sign(&head, &json!({})), &published);
        assert_eq!(signed(json!({"alg": "none"})), Err(JwtError::Algorithm));
        assert_eq!(signed(json!({"alg": "HS256", "kid": "a"})), Err(JwtError::Algorithm));
        assert_eq!(signed(json!({"alg": "RS256", "kid": "a"})), Err(JwtError::Key), "it is no key for that");
        assert_eq!(signed(json!({"alg": "ES384", "kid": "a"})), Err(JwtError::Key));
        assert_eq!(signed(json!({"alg": "ES256", "kid": "b"})), Err(JwtError::Key));
        assert_eq!(signed(json!({"alg": "ES256", "crit": ["exp"]})), Err(JwtError::Algorithm));
        let forged = other.sign(&json!({"alg": "ES256", "kid": "a"}), &json!({}));
        assert_eq!(claims(&forged, &published), Err(JwtError::Signature));
    }

    #[test]
    fn what_was_changed_or_is_no_token_is_refused() {
        let ours = Signer::new();
        let published = keys(&[ours.published("a")]);
        let token = ours.sign(&json!({"alg": "ES256"}), &json!({"sub": "ada"}));
        let parts: Vec<_> = token.split('.').collect();
        let other = URL_SAFE_NO_PAD.encode(r#"{"sub":"root"}"#);
        let changed = [parts[0], &other, parts[2]].join(".");
        assert_eq!(claims(&changed, &published), Err(JwtError::Signature));
        let unsigned = [parts[0], parts[1], ""].join(".");
        assert_eq!(claims(&unsigned, &published), Err(JwtError::Signature));
        for text in ["", ".", "..", "a.b", "a.b.c", &token[1..], &format!("{token}=")] {
            assert_eq!(claims(text, &published), Err(JwtError::Form), "{text}");
        }
        assert_eq!(claims(&token, &keys(&[])), Err(JwtError::Key));
    }
}
