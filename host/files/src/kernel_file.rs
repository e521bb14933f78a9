//! Files that the kernel makes up when they are read, such as those of `/proc` and `/sys`.

use std::path::Path;

/// The types of their file systems (statfs(2), linux/magic.h).
const KERNEL_FILE_SYSTEMS: [u32; 13] = [
    0x0000_9fa0, // proc
    0x6265_6572, // sysfs
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x7363_6673, // securityfs
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
    0x6165_676c, // pstore
    0xcafe_4a11, // bpf
    0x6265_6570, // configfs
    0xde5e_81e4, // efivarfs
    0xf97c_ff8c, // selinuxfs
    0x4341_5d53, // smackfs
];

/// True if a path leads to one of them. Their sizes say nothing, and reading one may fail whatever
/// its permissions say.
pub fn is_of_kernel(path: &Path) -> bool {
    let found = rustix::fs::statfs(path);
    // The type has other widths on other machines.
    found.is_ok_and(|it| KERNEL_FILE_SYSTEMS.contains(&(it.f_type as u32)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_proc_and_sys_are_of_the_kernel() {
        for path in ["/proc/self/mem", "/proc/version", "/sys/class/net/lo/speed"] {
            assert!(is_of_kernel(Path::new(path)), "{path}");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(!is_of_kernel(file.path()) && !is_of_kernel(Path::new("/nowhere")));
    }
}
