//! Baseline script over httpx, and the Python environment that it needs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PACKAGES: [&str; 2] = ["httpx==0.28.1", "pyyaml==6.0.4"];

/// Python interpreter with the packages of the script.
pub struct Script {
    python: PathBuf,
}

impl Script {
    /// Creates a virtual environment in `folder`, unless it exists.
    ///
    /// # Errors
    /// Why it cannot be created.
    pub fn prepare(folder: &Path) -> Result<Self, String> {
        let venv = folder.join("venv");
        let python = venv.join("bin/python");
        if run_checked(Command::new(&python).args(["-c", "import httpx, yaml"])).is_err() {
            run_checked(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
            let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
            run_checked(Command::new(&python).args(pip).args(PACKAGES))?;
        }
        Ok(Self { python })
    }

    /// Returns the command of the script in an empty environment.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.python);
        command.env_clear().arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/httpx_plan.py"));
        command
    }
}

fn run_checked(command: &mut Command) -> Result<(), String> {
    let program = Path::new(command.get_program()).display().to_string();
    let Output { status, stdout: _, stderr } =
        command.output().map_err(|error| format!("`{program}`: {error}"))?;
    if status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&stderr);
    Err(format!("`{program}`: {status}: {}", stderr.trim().lines().last().unwrap_or_default()))
}
