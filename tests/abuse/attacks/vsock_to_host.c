// abuse: talks to the host over a VM socket
// language: c11
// never: ALLOWED
// expect: end\Z
// machine: kept
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void) {
  int fd = socket(AF_VSOCK, SOCK_STREAM, 0);
  if (fd >= 0) {
    puts("ALLOWED socket");
    for (unsigned cid = 0; cid < 4; cid++) {
      struct sockaddr_vm where = {.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = 5555};
      if (connect(fd, (struct sockaddr *)&where, sizeof where) == 0) printf("ALLOWED connect %u\n", cid);
    }
  }
  puts("end");
  return 0;
}
