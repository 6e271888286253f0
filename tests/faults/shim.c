/* A disk that fails, and a recorder of what was written, for tests: loaded before libc (LD_PRELOAD).
 *
 * Only files below FAULTS_FOLDER count. Calls of writing kind are numbered from fault_arm() on; the one with the wanted number
 * fails with the wanted errno and does nothing. With FAULTS_LOG set, every such call that succeeds is appended to that
 * file, with its bytes, so that states after a power cut can be built from it. One thread at a time writes the log.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static long wanted = 0, counted = 0;
static int wanted_errno = 0, sticky = 0;
static int log_fd = -1;
static const char *folder = NULL;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_rename)(const char *, const char *);
static int (*real_unlink)(const char *);
static int (*real_ftruncate)(int, off_t);
static int (*real_mkdir)(const char *, mode_t);

__attribute__((constructor)) static void begin(void) {
  real_write = dlsym(RTLD_NEXT, "write");
  real_pwrite = dlsym(RTLD_NEXT, "pwrite");
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_rename = dlsym(RTLD_NEXT, "rename");
  real_unlink = dlsym(RTLD_NEXT, "unlink");
  real_ftruncate = dlsym(RTLD_NEXT, "ftruncate");
  real_mkdir = dlsym(RTLD_NEXT, "mkdir");
  folder = getenv("FAULTS_FOLDER");
  const char *log = getenv("FAULTS_LOG");
  if (log) log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* Fail the number-th call from now on (1 is the next); with keep, every later one too. 0 disarms. Returns how many
 * calls were counted since the last time. */
long fault_arm(long number, int code, int keep) {
  pthread_mutex_lock(&lock);
  long before = counted;
  counted = 0;
  wanted = number;
  wanted_errno = code;
  sticky = keep;
  pthread_mutex_unlock(&lock);
  return before;
}

static int path_of(int fd, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return 1;
}

static int is_ours(const char *path) { return folder && strncmp(path, folder, strlen(folder)) == 0; }

static int fails(void) {
  pthread_mutex_lock(&lock);
  counted++;
  int failing = wanted && (counted == wanted || (sticky && counted > wanted));
  pthread_mutex_unlock(&lock);
  if (failing) errno = wanted_errno;
  return failing;
}

/* kind, length of the path, of the data, offset: then path and data. */
static void record(char kind, const char *path, const void *data, size_t size, int64_t offset) {
  if (log_fd < 0) return;
  char head[32];
  uint32_t path_size = strlen(path), data_size = size;
  memset(head, 0, sizeof head);
  head[0] = kind;
  memcpy(head + 4, &path_size, 4);
  memcpy(head + 8, &data_size, 4);
  memcpy(head + 16, &offset, 8);
  struct iovec parts[3] = {{head, 24}, {(void *)path, path_size}, {(void *)data, size}};
  pthread_mutex_lock(&lock);
  ssize_t done = writev(log_fd, parts, 3);
  if (done != (ssize_t)(24 + path_size + size)) abort();
  pthread_mutex_unlock(&lock);
}

/* A line of the program's own in the record, such as an acknowledgement. */
void fault_mark(const char *text) { record('A', text, "", 0, 0); }

ssize_t write(int fd, const void *data, size_t size) {
  char path[PATH_MAX];
  if (fd == log_fd || !path_of(fd, path) || !is_ours(path)) return real_write(fd, data, size);
  if (fails()) return -1;
  off_t offset = lseek(fd, 0, SEEK_CUR);
  ssize_t done = real_write(fd, data, size);
  if (done > 0) record('W', path, data, done, offset);
  return done;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
  char path[PATH_MAX];
  if (!path_of(fd, path) || !is_ours(path)) return real_pwrite(fd, data, size, offset);
  if (fails()) return -1;
  ssize_t done = real_pwrite(fd, data, size, offset);
  if (done > 0) record('W', path, data, done, offset);
  return done;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) { return pwrite(fd, data, size, offset); }

static int sync_with(int (*real)(int), int fd) {
  char path[PATH_MAX];
  if (!path_of(fd, path) || !is_ours(path)) return real(fd);
  if (fails()) return -1;
  int done = real(fd);
  if (done == 0) record('S', path, "", 0, 0);
  return done;
}

int fsync(int fd) { return sync_with(real_fsync, fd); }
int fdatasync(int fd) { return sync_with(real_fdatasync, fd); }

int rename(const char *from, const char *to) {
  if (!is_ours(to)) return real_rename(from, to);
  if (fails()) return -1;
  int done = real_rename(from, to);
  if (done == 0) record('R', from, to, strlen(to), 0);
  return done;
}

int unlink(const char *path) {
  int done = real_unlink(path);
  if (done == 0 && is_ours(path)) record('U', path, "", 0, 0);
  return done;
}

int ftruncate(int fd, off_t size) {
  char path[PATH_MAX];
  if (!path_of(fd, path) || !is_ours(path)) return real_ftruncate(fd, size);
  if (fails()) return -1;
  int done = real_ftruncate(fd, size);
  if (done == 0) record('T', path, "", 0, size);
  return done;
}

int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

int mkdir(const char *path, mode_t mode) {
  if (!is_ours(path)) return real_mkdir(path, mode);
  if (fails()) return -1;
  int done = real_mkdir(path, mode);
  if (done == 0) record('D', path, "", 0, 0);
  return done;
}
