// abuse: builds itself another view of the files
// language: c11
// never: ALLOWED
// expect: end\Z
// machine: kept
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <unistd.h>
#define TRY(call) \
  if ((call) >= 0) puts("ALLOWED " #call)
int main(void) {
  TRY(mount("none", "/tmp", "tmpfs", 0, 0));
  TRY(mount(0, "/", 0, MS_REMOUNT | MS_BIND, 0));
  TRY(umount2("/proc", MNT_DETACH));
  TRY(umount2("/tmp", MNT_DETACH));
  TRY(chroot("/tmp"));
  TRY(syscall(SYS_pivot_root, "/tmp", "/tmp"));
  TRY(syscall(SYS_open_tree, AT_FDCWD, "/", 1));
  TRY(syscall(SYS_fsopen, "tmpfs", 0));
  TRY(syscall(SYS_move_mount, AT_FDCWD, "/tmp", AT_FDCWD, "/var/tmp", 0));
  TRY(syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, "", 32));
  TRY(swapon("/tmp/swap", 0));
  puts("end");
  return 0;
}
