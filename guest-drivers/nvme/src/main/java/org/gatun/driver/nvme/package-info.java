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
 * <p><b>Administration.</b> {@link org.gatun.driver.nvme.NvmeController#logs} reads log pages,
 * {@link org.gatun.driver.nvme.NvmeController#features} features and power states. {@link
 * org.gatun.driver.nvme.NvmeController#execute} takes any other Admin command, and {@link
 * org.gatun.driver.nvme.NvmeDisk#execute} any I/O command; those on which the driver itself depends
 * are refused. One Admin command is executed at a time, and who needs another waits: while a format
 * takes its minutes, no queue pair is created or closed, and no command aborted.
 *
 * <p><b>Events.</b> A controller tells of errors, of its health, and of namespaces that appear,
 * vanish or change, from the first {@link org.gatun.driver.nvme.NvmeController#pollEvents} on: call
 * it when the controller is opened, and now and then. Who polls or waits on a queue pair looks too,
 * every 100 ms at most, and brings the namespaces up to date. A program that never calls it is told
 * of nothing: it finds out by commands that fail.
 *
 * <p><b>Namespaces</b> that change. {@link org.gatun.driver.nvme.NvmeController#namespaces} is what
 * the driver knows now; an {@link org.gatun.driver.nvme.NvmeNamespace} does not change. An {@link
 * org.gatun.driver.nvme.NvmeDisk} goes along when its namespace grows, refuses what is past the end
 * when it has shrunk, and refuses everything when it has vanished, was formatted to other blocks,
 * or is another one under the same number ({@link org.gatun.driver.nvme.NvmeNamespaceException}).
 * What changes between the controller's telling and the driver's looking is up to the controller,
 * which fails what it can't do; a {@link org.gatun.driver.nvme.NvmeQueuePair} takes the namespace
 * that it is given, and leaves all to the controller. Namespaces with metadata or protection
 * information can't be used; {@link org.gatun.driver.nvme.NvmeController#namespace} says so.
 *
 * <p><b>Keep Alive.</b> Over PCIe no controller needs to be told that its host is there. One that
 * says that it wants it (KAS), and whose timer runs by default, is told by whoever polls a queue
 * pair or events: a program that does neither for half of its time-out meets a controller that has
 * given up. While an Admin command is executed it is not told.
 *
 * <p>Sections are those of the NVM Express Base Specification 2.0 ("Base") and of the NVM Command
 * Set Specification 1.0 ("NVM").
 */
package org.gatun.driver.nvme;
