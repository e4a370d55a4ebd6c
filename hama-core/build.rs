//! Generates what gRPC needs of `proto/hama.proto`, where the cluster is built.

#[cfg(feature = "cluster")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto/hama.proto");
    let files = protox::compile(["hama.proto"], ["proto"])?;
    tonic_prost_build::configure().bytes(".").compile_fds(files)?;
    Ok(())
}

#[cfg(not(feature = "cluster"))]
fn main() {}
