/* The same work as the benchmarks do, in C: compiled at run time, with what compiler there is. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void store32(volatile uint32_t *reg, int64_t n) {
  for (int64_t i = 0; i < n; i++) *reg = (uint32_t)i;
}

uint32_t load32(volatile uint32_t *reg, int64_t n) {
  uint32_t sum = 0;
  for (int64_t i = 0; i < n; i++) sum += *reg;
  return sum;
}

int open_for_reading(const char *path) { return open(path, O_RDONLY | O_CLOEXEC); }

int64_t set_close_on_exec(int fd, int64_t n) {
  int64_t sum = 0;
  for (int64_t i = 0; i < n; i++) sum += ioctl(fd, FIOCLEX);
  return sum;
}

int64_t read_word(int fd, int64_t n) {
  int64_t sum = 0;
  uint32_t word;
  for (int64_t i = 0; i < n; i++) sum += pread(fd, &word, 4, 0);
  return sum;
}

/*
 * One NVMe read on a controller that completes at once, at queue depth 1, with all of it in this thread: the least that
 * any initiator does, and the least that a device does.
 */
struct nvme {
  uint32_t *sq;            /* depth entries of 16 words */
  volatile uint32_t *cq;   /* depth entries of 4 words */
  volatile uint32_t *doorbells;
  uint32_t depth;
  uint32_t tail, head, phase;            /* the initiator's */
  uint32_t device_tail, device_phase;    /* the device's */
};

static void device_completes(struct nvme *q) {
  uint32_t *entry = q->sq + 16 * (q->doorbells[0] == 0 ? q->depth - 1 : q->doorbells[0] - 1);
  volatile uint32_t *done = q->cq + 4 * q->device_tail;
  done[2] = q->doorbells[0];
  __atomic_store_n(&done[3], (entry[0] & 0xffff0000u) >> 16 | q->device_phase << 16, __ATOMIC_RELEASE);
  if (++q->device_tail == q->depth) {
    q->device_tail = 0;
    q->device_phase ^= 1;
  }
}

int64_t nvme_reads(struct nvme *q, uint64_t prp1, int64_t n) {
  int64_t failed = 0;
  for (int64_t i = 0; i < n; i++) {
    uint32_t *entry = q->sq + 16 * q->tail;
    for (int w = 0; w < 16; w++) entry[w] = 0;
    entry[0] = 0x02 | (uint32_t)(i & 0xff) << 16;
    entry[1] = 1;
    entry[6] = (uint32_t)prp1;
    entry[7] = (uint32_t)(prp1 >> 32);
    entry[10] = (uint32_t)i;
    entry[12] = 0;
    if (++q->tail == q->depth) q->tail = 0;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    q->doorbells[0] = q->tail;
    device_completes(q);
    volatile uint32_t *done = q->cq + 4 * q->head;
    uint32_t status;
    do {
      status = __atomic_load_n(&done[3], __ATOMIC_ACQUIRE);
    } while ((status >> 16 & 1) != q->phase);
    failed += status >> 17 != 0;
    if (++q->head == q->depth) {
      q->head = 0;
      q->phase ^= 1;
    }
    q->doorbells[1] = q->head;
  }
  return failed;
}

/* The near end of what peer.c is the far end of. */

int connect_to(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  return connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ? -1 : fd;
}

/* Requests and replies as long as those of a 32-bit register read: returns how many were answered. */
int64_t ping(int fd, int64_t n) {
  char request[32] = {0}, reply[36];
  for (int64_t i = 0; i < n; i++) {
    if (send(fd, request, sizeof request, MSG_NOSIGNAL) != sizeof request) return i;
    if (recv(fd, reply, sizeof reply, MSG_WAITALL) != sizeof reply) return i;
  }
  return n;
}

/* Gives the peer two new eventfds: one that it signals, and one that it is signalled by. */
int connect_events(const char *path, int events[2]) {
  int fd = connect_to(path);
  events[0] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  events[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  char byte = 0;
  struct iovec data = {&byte, 1};
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(2 * sizeof(int))];
  } control = {0};
  struct msghdr message = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  control.header = (struct cmsghdr){CMSG_LEN(2 * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
  memcpy(CMSG_DATA(&control.header), events, 2 * sizeof(int));
  return sendmsg(fd, &message, MSG_NOSIGNAL) == 1 ? fd : -1;
}

/* Signals the one and waits for the other, as a waiter for interrupts does: returns how often it was answered. */
int64_t signal_and_wait(const int events[2], int64_t n) {
  uint64_t one = 1, count;
  for (int64_t i = 0; i < n; i++) {
    struct pollfd wait = {events[0], POLLIN, 0};
    struct timespec limit = {10, 0};
    if (write(events[1], &one, sizeof one) != sizeof one) return i;
    if (ppoll(&wait, 1, &limit, NULL) != 1) return i;
    if (read(events[0], &count, sizeof count) != sizeof count) return i;
  }
  return n;
}
