//! Projects of `plugin new` whose code prints and fails: the author reads both.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::Gateway;
use crate::tools;

/// A language, its source, the line after which code is added, the code, and the build.
type Project = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const PROJECTS: [Project; 2] = [
    (
        "python",
        "matcher.py",
        "each request, since `prepare` asked for it: adds the parts that need code.\"\"\"\n",
        "        print(\"seen\", request.path())\n        \
         if request.path() == \"/boom\":\n            raise ValueError(\"the door is shut\")\n",
        "./build.sh",
    ),
    (
        "js",
        "matcher.js",
        "  identify(request, parts) {\n",
        "    console.log('seen', request.path());\n    \
         if (request.path() === '/boom') throw new TypeError('the door is shut');\n",
        "npm run build",
    ),
];

/// Builds a project in a folder that is kept, as its tools are large. Returns the component.
fn built((language, source, before, code, build): Project) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("authors");
    fs::create_dir_all(&folder).unwrap();
    let project = folder.join(language);
    let made = folder.join("new").join(language);
    let _ = fs::remove_dir_all(&made);
    fs::create_dir_all(made.parent().unwrap()).unwrap();
    let mut new = Command::new(env!("CARGO_BIN_EXE_ouli-gateway"));
    new.args(["plugin", "new", language, "--lang", language]);
    let output = new.current_dir(made.parent().unwrap()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = fs::read_to_string(made.join(source)).unwrap();
    let (head, tail) = text.split_once(before).expect("the line of the template");
    fs::write(made.join(source), [head, before, code, tail].concat()).unwrap();
    // The files of this version over those of the last run, whose tools stay.
    let copied = tools::command("cp", "--version")
        .args(["-r", "--"])
        .arg(made.join("."))
        .arg(&project)
        .status();
    assert!(copied.unwrap().success());
    let built = Command::new("sh")
        .args(["-c", build])
        .current_dir(&project)
        .output()
        .unwrap();
    assert!(built.status.success(), "{built:?}");
    project.join(format!("{language}.wasm"))
}

#[test]
#[ignore = "builds and compiles plugins in Python and JavaScript"]
fn what_a_plugin_prints_and_why_it_fails_reaches_its_author() {
    for project in PROJECTS {
        let language = project.0;
        let component = built(project);
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("plugins")).unwrap();
        fs::copy(component, folder.path().join("plugins/own.wasm")).unwrap();
        let config = "plugins = \"plugins\"\n[[plugin]]\nfile = \"own.wasm\"\non_error = \"fail\"\n\
                      [[endpoint]]\nname = \"default\"\nmode = \"replay\"\n";
        fs::write(folder.path().join("ouli.toml"), config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ouli-gateway"));
        command.env("RUST_LOG", "debug").current_dir(folder.path());
        let gateway = Gateway::run(command, folder.path().join("log"));
        let get = |path: &str| {
            let url = format!("{}{path}", gateway.url);
            let output = tools::system("curl").args(["-s", &url]).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let missed = get("/fine");
        assert!(missed.contains("problem:miss"), "{language}: {missed}");
        let failed = get("/boom");
        for word in ["problem:plugin", "Error: the door is shut", "matcher."] {
            assert!(failed.contains(word), "{language}, {word}: {failed}");
        }
        let (log, _) = gateway.stop();
        for line in ["seen /fine", "seen /boom"] {
            assert!(log.contains(line), "{language}, {line}: {log}");
        }
    }
}
