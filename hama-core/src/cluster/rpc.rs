//! Control of a cluster: questions to the master and their answers, over gRPC behind one door.
//!
//! The door comes first on every connection: a fixed number of bytes that prove the cluster's token. What does not open it is
//! closed before anything else is parsed.

pub(crate) mod client;
pub(crate) mod door;
pub(crate) mod listen;
pub(crate) mod server;

/// What `proto/hama.proto` says.
#[expect(unreachable_pub, clippy::allow_attributes, reason = "generated")]
pub(crate) mod proto {
    tonic::include_proto!("hama.v1");
}

/// The longest question or answer: a program of 16 MiB and what goes with it.
const BODY_BYTES_MAX: usize = (20 << 20) + 64;
/// The bytes of a file that travel at a time.
const CHUNK_BYTES: usize = 256 << 10;

#[cfg(test)]
mod tests;
