//! Header fields with a digest of the body.

use http::HeaderName;

/// Names of fields with a digest of the bytes of the body as sent, its content codings included:
/// RFC 9530; RFC 3230; RFC 1864; Amazon S3 and DynamoDB; Google Cloud Storage; Azure Storage;
/// container registries.
const NAMES: [&str; 10] = [
    "content-digest",
    "content-md5",
    "digest",
    "docker-content-digest",
    "repr-digest",
    "x-amz-content-sha256",
    "x-amz-crc32",
    "x-goog-hash",
    "x-ms-blob-content-md5",
    "x-ms-content-crc64",
];

const PREFIXES: [&str; 2] = ["x-amz-checksum-", "x-checksum-"];

/// True for the name of a field with a digest of the body as it was sent.
pub fn is_body_digest(name: &HeaderName) -> bool {
    let name = name.as_str();
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}
