//! How the command line speaks: lines that nobody reads any more, as behind `| head`, are dropped
//! instead of ending the program in a panic.

/// A line on stdout.
macro_rules! say {
    ($($line:tt)*) => {{
        use std::io::Write as _;
        // Who closed the pipe wants no more.
        let _ = writeln!(std::io::stdout(), $($line)*);
    }};
}

/// A line on stderr.
macro_rules! complain {
    ($($line:tt)*) => {{
        use std::io::Write as _;
        // As above.
        let _ = writeln!(std::io::stderr(), $($line)*);
    }};
}

pub(super) use {complain, say};
