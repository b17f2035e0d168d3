/*
 * An NVMe initiator that polls: random reads of 4 KiB with so many in flight, on a queue pair of its own, whose memory and doorbells are
 * shared with who serves the controller. One call is a whole run, so there is no Java in it.
 */
#include <stdint.h>
#include <time.h>

#define PAGE 4096
#define READ 0x02 /* NVM 3.2.4 */

struct initiator {
  uint64_t *sq;                     /* entries of 8 words (Base 3.3.3.1) */
  volatile uint32_t *cq;            /* entries of 4 words (Base 3.3.3.2) */
  volatile uint32_t *tail_doorbell;
  volatile uint32_t *head_doorbell;
  uint64_t data;                    /* bus address of a page for each command in flight */
  uint64_t *blocks;                 /* for each: the block that was read last */
  uint64_t random;
  uint64_t mask;                    /* a power of two of blocks of 4 KiB, less one */
  uint32_t lbas;                    /* logical blocks in one of those */
  uint32_t depth;                   /* one fewer than entries of the submission queue */
  uint32_t completion_entries;
  uint32_t batch;                   /* completions that are acknowledged at once, or more: there is room for them */
  uint32_t tail, head, phase, unacknowledged;
};

static inline void pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static inline int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000L + time.tv_nsec;
}

/* The controller sees it when its doorbell is rung. What is not written here is zero, and stays so. */
static inline void submit(struct initiator *q, uint32_t id) {
  q->random = q->random * 6364136223846793005u + 1442695040888963407u;
  uint64_t block = q->random >> 33 & q->mask;
  q->blocks[id] = block;
  uint64_t *entry = q->sq + 8 * q->tail;
  entry[0] = READ | id << 16 | 1ull << 32; /* of namespace 1 */
  entry[3] = q->data + (uint64_t)id * PAGE;
  entry[5] = block * q->lbas;
  entry[6] = q->lbas - 1;
  q->tail = q->tail == q->depth ? 0 : q->tail + 1;
}

static inline void ring(struct initiator *q) {
  __atomic_thread_fence(__ATOMIC_RELEASE);
  *q->tail_doorbell = q->tail;
}

/* Returns how many failed. The state is in locals until the end. */
static inline __attribute__((always_inline)) int64_t run(struct initiator *state, int64_t n, int32_t *latencies, int64_t *started) {
  struct initiator q = *state;
  int64_t failed = 0, submitted = 0, completed = 0;
  for (uint32_t id = 0; id < q.depth && submitted < n; id++, submitted++) {
    if (latencies) started[id] = now();
    submit(&q, id);
  }
  ring(&q);
  while (completed < n) {
    uint32_t head = q.head, status;
    volatile uint32_t *entry = q.cq + 4 * head;
    while (((status = __atomic_load_n(&entry[3], __ATOMIC_ACQUIRE)) >> 16 & 1) == q.phase) {
      uint32_t id = status & 0xffff;
      failed += status >> 17 != 0;
      q.unacknowledged++;
      if (++head == q.completion_entries) {
        head = 0;
        q.phase ^= 1;
      }
      entry = q.cq + 4 * head;
      if (latencies) {
        int64_t end = now();
        latencies[completed] = (int32_t)(end - started[id]);
        started[id] = end;
      }
      completed++;
      if (submitted < n) {
        submit(&q, id);
        submitted++;
      }
    }
    if (head == q.head) {
      pause();
      continue;
    }
    q.head = head;
    if (q.unacknowledged >= q.batch) {
      q.unacknowledged = 0;
      *q.head_doorbell = head;
    }
    ring(&q);
  }
  *state = q;
  return failed;
}

int64_t random_reads(struct initiator *q, int64_t n) { return run(q, n, 0, 0); }

/*
 * The same, and how long each took in nanoseconds, in the order of completion. As in Java, the clock is read once for a command: when one
 * is complete, which is when the next in its place is submitted.
 */
int64_t timed_random_reads(struct initiator *q, int64_t n, int32_t *latencies, int64_t *started) {
  return run(q, n, latencies, started);
}
