/**
 * NVM Express: controller registers, queue entries, commands, status codes and data structures, as
 * constants, pure functions on words, and views on memory.
 *
 * <p>The sources are the NVM Express Base Specification 2.0, the NVM Command Set Specification 1.0
 * and, for what both versions share, the NVM Express Base Specification 1.4; "Base 3.1.3" names a
 * section of the first, "NVM 3.2" of the second. Names are those of the specifications.
 *
 * <p><b>Hot path.</b> {@link SubmissionEntry}, {@link CompletionEntry} and {@link NvmCommand} have
 * offsets and pure functions on 32-bit words: a driver puts words straight into the DMA memory and
 * reads a completion's dword 3 with acquire. Nothing there allocates.
 *
 * <p><b>Views</b> ({@link IdentifyController}, {@link IdentifyNamespace}, {@link NamespaceList},
 * {@link SmartLog}, {@link ErrorLogEntry} and those of further log pages) read and write a
 * little-endian {@link java.lang.foreign.MemorySegment} of any kind and alignment with plain
 * accesses. A device can change DMA memory between two reads, so a driver takes {@code copyOf} and
 * looks at that. A view reports what is there: whether it makes sense is for the driver to check.
 *
 * <p>Values that the specification calls "0's based" (0 means 1) are named as there where they are
 * raw ({@code mqes}), and by what they count where they are not ({@code maxQueueEntries}).
 *
 * <p>Functions that pack a word throw {@link IllegalArgumentException} for a value that does not
 * fit its field, and name both. Nothing here is synchronized; constants and functions are safe from
 * any thread.
 */
package org.gatun.specs.nvme;
