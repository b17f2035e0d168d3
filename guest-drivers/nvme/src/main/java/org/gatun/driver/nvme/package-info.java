/**
 * A driver for NVM Express controllers.
 *
 * <p>{@link org.gatun.driver.nvme.NvmeController} brings a controller up and knows its namespaces.
 * {@link org.gatun.driver.nvme.NvmeDisk} reads and writes a namespace and returns when that is
 * done; {@link org.gatun.driver.nvme.NvmeBlockChannel} makes a channel of it, for code that knows
 * files. {@link org.gatun.driver.nvme.NvmeAsyncDisk} gives futures. {@link
 * org.gatun.driver.nvme.NvmeQueuePair}, on which they are built, takes single commands and calls
 * back.
 *
 * <p><b>Time-outs.</b> A command that is not completed within {@link
 * org.gatun.driver.nvme.NvmeOptions#commandTimeout} is aborted; if the controller has not completed
 * it after the same time again, its queues are deleted and created anew, which completes what was
 * in flight on them with {@code Command Aborted due to SQ Deletion}: other queue pairs notice
 * nothing. If the controller does not answer the Abort or the deletion, it is reset. So it is, at
 * once, when it reports a fatal error (CSTS.CFS, Base 9.5): who waits looks at that. A reset
 * completes all commands in flight, on all queue pairs, with {@code Command Aborted By Host}: each
 * on the thread that owns the queue pair, when that polls next, and never before the controller has
 * stopped using their memory. Whether they took effect is unknown. The queue pairs then go on
 * working. If the reset fails too, or if the controller breaks the protocol, then the controller
 * has failed: its bus mastering is turned off, commands in flight are completed the same way, and
 * each further use throws.
 *
 * <p>Sections are those of the NVM Express Base Specification 2.0 ("Base") and of the NVM Command
 * Set Specification 1.0 ("NVM").
 */
package org.gatun.driver.nvme;
