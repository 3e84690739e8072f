// abuse: leaves shared memory, semaphores and message queues for the next job
// language: c11
// expect: \Aleft\Z
// machine: either
// then: ipcs | grep -c 0x0000b0b0 => \A0
#include <mqueue.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
int main(void) {
  int id = shmget(0xb0b0, 1 << 20, IPC_CREAT | 0666);
  void *memory = shmat(id, 0, 0);
  if (memory != (void *)-1) strcpy(memory, "SECRET");
  semget(0xb0b0, 8, IPC_CREAT | 0666);
  int queue = msgget(0xb0b0, IPC_CREAT | 0666);
  struct { long type; char text[8]; } message = {1, "SECRET"};
  msgsnd(queue, &message, 8, IPC_NOWAIT);
  mq_open("/left", O_CREAT | O_RDWR, 0666, 0);
  puts("left");
  return 0;
}
