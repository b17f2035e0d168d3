/** The NVMe controller behind {@link org.gatun.simulated.NvmeModel}. Not exported. */
package org.gatun.simulated.nvme;
