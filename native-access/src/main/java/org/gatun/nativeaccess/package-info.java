/**
 * Linux system calls, and safe owners for what they return.
 *
 * <p>{@link org.gatun.nativeaccess.Fd}, {@link org.gatun.nativeaccess.EventFd}, {@link
 * org.gatun.nativeaccess.Mapping}, {@link org.gatun.nativeaccess.Memfd}, {@link
 * org.gatun.nativeaccess.UnixSocket} and {@link org.gatun.nativeaccess.DmaMemory} each own one
 * thing and close it once. A call that fails throws {@link org.gatun.nativeaccess.LinuxException}.
 * Below them is {@link org.gatun.nativeaccess.LinuxCalls}, the raw calls, for implementations.
 */
@NullMarked
package org.gatun.nativeaccess;

import org.jspecify.annotations.NullMarked;
