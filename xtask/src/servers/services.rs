//! The servers' programs: from Maven Central through `mvn` into `target/services`, once.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::jvm;
use crate::hdfs::{self, archive};
use crate::root;

/// Which artefacts, and the stamp of what was fetched.
const POM: &str = include_str!("../../hdfs/pom.xml");
const PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
const JAVA_MIN: u32 = 17;
const FORMAT_MIB: u32 = 64;

const LOG: &str = "\
log4j.rootLogger=WARN,out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d{ISO8601} %p %c{1}: %m%n
log4j.logger.org.apache.hadoop.util.NativeCodeLoader=ERROR
";

/// Where the servers' programs are.
#[derive(Clone, Debug)]
pub struct Services {
    pub(crate) folder: PathBuf,
    /// What Java is told of their classes.
    pub(crate) classes: String,
}

impl Services {
    /// Those that were fetched, for servers that run here.
    ///
    /// # Errors
    /// Says what is missing: the artefacts of this version, or Java.
    pub fn found() -> Result<Services, String> {
        let services = Services::here();
        if !services.is_whole() {
            return Err(format!("{} is not fetched", describe()));
        }
        java_runs()?;
        Ok(services)
    }

    /// The same, fetched where they are missing: 48 MB, and some 70 on the way, which may take minutes. Of several who
    /// ask at once one fetches and the others wait. What an interrupted one has fetched is kept for the next.
    ///
    /// # Errors
    /// Says what to install, or what Maven complained of.
    pub fn set_up() -> Result<Services, String> {
        java_runs()?;
        let services = Services::here();
        fs::create_dir_all(home()).map_err(|error| format!("cannot make {}: {error}", home().display()))?;
        let _lock = lock(&home().join("lock"))?;
        if services.is_whole() {
            return Ok(services);
        }
        services.fetch()?;
        // Now with the archive of its classes.
        Ok(Services::here())
    }

    fn here() -> Services {
        let folder = home().join("hadoop");
        let classes = archive::flag(&folder);
        Services { folder, classes }
    }

    fn is_whole(&self) -> bool {
        // The last file that is written.
        fs::read_to_string(self.folder.join("stamp")).is_ok_and(|stamp| stamp == POM)
    }

    fn fetch(&self) -> Result<(), String> {
        let making = home().join("making");
        let failed = |error| format!("cannot make {}: {error}", making.display());
        for folder in [&making, &self.folder] {
            if folder.exists() {
                fs::remove_dir_all(folder).map_err(failed)?;
            }
        }
        // The NameNode wants them on the class path, and serves nothing that we need from them.
        for page in ["hdfs", "datanode", "static", "secondary"] {
            fs::create_dir_all(making.join("web/webapps").join(page)).map_err(failed)?;
        }
        fs::write(making.join("web/log4j.properties"), LOG).map_err(failed)?;
        fs::write(making.join("pom.xml"), POM).map_err(failed)?;
        let repository = home().join("m2");
        maven(&making, &repository)?;
        fs::rename(&making, &self.folder).map_err(failed)?;
        self.format()?;
        archive::make(self, &self.folder);
        fs::write(self.folder.join("stamp"), POM).map_err(failed)?;
        // Its jars are copied.
        fs::remove_dir_all(&repository).map_err(failed)
    }

    /// Makes an empty file system once: each HDFS begins with a copy.
    fn format(&self) -> Result<(), String> {
        let work = self.folder.join("format");
        fs::create_dir_all(work.join("tmp"))
            .map_err(|error| format!("cannot make {}: {error}", work.display()))?;
        let names = format!("dfs.namenode.name.dir={}", self.folder.join("name").display());
        let command = jvm::command(self, &work, FORMAT_MIB, hdfs::NAMENODE);
        let arguments =
            ["-D", &names, "-D", "fs.defaultFS=hdfs://127.0.0.1:8020", "-format", "-nonInteractive"];
        jvm::run(command, arguments).map(drop)
    }

    /// Copies the empty file system to `folder`, which is not there.
    pub(crate) fn formatted(&self, folder: &Path) -> Result<(), String> {
        let (from, to) = (self.folder.join("name/current"), folder.join("current"));
        let copy = || -> std::io::Result<()> {
            fs::create_dir_all(&to)?;
            for entry in fs::read_dir(&from)? {
                let name = entry?.file_name();
                fs::copy(from.join(&name), to.join(&name))?;
            }
            Ok(())
        };
        copy().map_err(|error| format!("cannot copy {} to {}: {error}", from.display(), to.display()))
    }

    /// What is put on the class path behind a folder of settings.
    pub(crate) fn class_path(&self, settings: &Path) -> String {
        // The archive of classes wants the jars first.
        format!("{}:{}:{}", self.jars(), settings.display(), self.folder.join("web").display())
    }

    pub(crate) fn jars(&self) -> String {
        self.folder.join("jars/*").display().to_string()
    }
}

/// Versions of the servers, for people.
pub fn describe() -> String {
    format!("Hadoop {} with ZooKeeper {}", version("hadoop"), version("zookeeper"))
}

/// The version of Hadoop that is fetched.
fn version(name: &str) -> &'static str {
    let after = POM.split_once(&format!("<{name}.version>")).map_or("", |(_, after)| after);
    after.split_once('<').map_or("?", |(version, _)| version)
}

/// What lasts longer than a server.
pub(crate) fn home() -> PathBuf {
    root().join("target/services")
}

/// Holds a file for ourselves, and waits for others who do. It ends with what is returned.
fn lock(path: &Path) -> Result<File, String> {
    let failed = |error| format!("cannot lock {}: {error}", path.display());
    let file = File::create(path).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

fn maven(folder: &Path, repository: &Path) -> Result<(), String> {
    let mut command = Command::new("mvn");
    // Checksums that differ are errors.
    command.current_dir(folder).args(["--batch-mode", "--quiet", "--strict-checksums", PLUGIN]);
    command.arg(format!("-Dmaven.repo.local={}", repository.display()));
    command.arg(format!("-DoutputDirectory={}", folder.join("jars").display()));
    let output = command.arg("-DincludeScope=runtime").output();
    let output = output.map_err(|error| format!("cannot start mvn: {error}: {INSTALL}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("ERROR")).take(5).collect();
    Err(format!(
        "mvn cannot fetch {} ({}); a mirror of Maven Central is named in ~/.m2/settings.xml:\n    {}",
        describe(),
        output.status,
        lines.join("\n    ")
    ))
}

/// What people are told to type where Java or Maven are missing.
pub const INSTALL: &str =
    "install Java 17 or newer and Maven (Debian: apt-get install -y default-jre-headless maven)";

fn java_runs() -> Result<(), String> {
    let java = jvm::java();
    let output = Command::new(&java).arg("-version").output();
    let output = output.map_err(|error| format!("cannot start {}: {error}: {INSTALL}", java.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    match major(&said) {
        Some(major) if major >= JAVA_MIN => Ok(()),
        _ => {
            let first = said.lines().next().unwrap_or_default();
            Err(format!("{} is too old or no Java ({first}): {INSTALL}", java.display()))
        }
    }
}

/// 17 of `openjdk version "17.0.15" 2025-04-15`.
fn major(said: &str) -> Option<u32> {
    let (_, version) = said.split_once("version \"")?;
    version.split(['.', '"', '-', '+']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(major("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK"), Some(17));
        assert_eq!(major("Picked up JAVA_TOOL_OPTIONS: x\nopenjdk version \"21\" 2023"), Some(21));
        // 8 calls itself 1.8.
        assert_eq!(major("java version \"1.8.0_202\""), Some(1));
        assert_eq!(major("command not found"), None);
        assert_eq!(version("hadoop").split('.').count(), 3, "{}", describe());
        assert_eq!(version("zookeeper").split('.').count(), 3, "{}", describe());
    }
}
