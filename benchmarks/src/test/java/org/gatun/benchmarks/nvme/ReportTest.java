package org.gatun.benchmarks.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.gatun.benchmarks.Runs;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;
import org.xml.sax.SAXException;

/** The page is XML too, but for its first line, so that it can be parsed with what the JDK has. */
class ReportTest {
  private static final String MACHINE = "a <machine> & more";

  private final Figures figures = new Figures();

  @Test
  void hasAllFiguresOfAllRuns() {
    iops("C", 1, 900_000, 1_000_000, 950_000);
    iops("driver", 1, 810_000, 1_100_000, 855_000);

    Element section = section(parsed(), Chart.IOPS);

    assertThat(cells(section, 0))
        .containsExactly(
            "1", "C", "900,000 1,000,000 950,000", "950,000", "900,000..1,000,000", "1 (1..1)");
    assertThat(cells(section, 1))
        .containsExactly(
            "1",
            "driver",
            "810,000 1,100,000 855,000",
            "855,000",
            "810,000..1,100,000",
            "0.900 (0.900..1.100)");
  }

  @Test
  void plotsBarsAsHighAsTheMedians() {
    iops("C", 1, 1000);
    iops("driver", 1, 400, 500, 600);

    List<Double> heights =
        elements(plot(Chart.IOPS).getElementsByTagName("rect"))
            .map(bar -> Double.parseDouble(bar.getAttribute("height")))
            .toList();

    assertThat(heights).hasSize(2);
    assertThat(heights.get(1) / heights.get(0)).isCloseTo(0.5, within(0.01));
  }

  @Test
  void plotsALineThroughThePoints() {
    for (int depth : List.of(1, 2, 4)) {
      figures.add(Chart.DEPTHS, "driver", depth, 1000.0 * depth);
    }

    Element plot = plot(Chart.DEPTHS);
    String points =
        ((Element) plot.getElementsByTagName("polyline").item(0)).getAttribute("points");

    assertThat(points.split(" ")).hasSize(3);
    assertThat(plot.getElementsByTagName("circle").getLength()).isEqualTo(3);
  }

  @Test
  void saysWhatWasNotMeasuredAndHowToMeasureIt() {
    Element section = section(parsed(), Chart.FIO);

    assertThat(section.getTextContent()).contains("Not measured: run .ci/soak fio-vm.");
    assertThat(section.getElementsByTagName("svg").getLength()).isZero();
  }

  @Test
  void saysWhereACostGrowsFasterThanItsWork() {
    figures.add(Chart.START, "driver", 1, 100);
    figures.add(Chart.START, "driver", 4, 380);
    figures.add(Chart.START, "driver", 16, 3800);

    Element section = section(parsed(), Chart.START);

    assertThat(cells(section, 0).getLast()).isEmpty();
    assertThat(cells(section, 1).getLast()).isEqualTo("3.800 times for 4 times the work");
    assertThat(cells(section, 2).getLast()).isEqualTo("10 times for 4 times the work: FASTER");
  }

  @Test
  void isOnePageThatNeedsNothingElse() {
    iops("C", 1, 1000);

    String html = new Report(figures, MACHINE).html();

    assertThat(html).doesNotContain("http:", "https:", "src=", "href=", "url(", "@import");
    assertThat(html).contains("prefers-color-scheme: dark");
    assertThat(parsed().getElementsByTagName("p").item(0).getTextContent()).isEqualTo(MACHINE);
  }

  @Test
  void figuresOfSeveralFilesAreRuns(@TempDir Path directory) throws Exception {
    for (int run = 1; run <= 3; run++) {
      Figures one = new Figures();
      one.add(Chart.LATENCY, "driver", "99.9", run * 1000);
      one.write(directory.resolve(run + ".json"));
    }
    for (int run = 1; run <= 3; run++) {
      figures.read(directory.resolve(run + ".json"));
    }

    assertThat(figures.of(Chart.LATENCY))
        .isEqualTo(Map.of("driver", Map.of("99.9", new Runs(List.of(1000.0, 2000.0, 3000.0)))));
    assertThat(figures.of(Chart.IOPS)).isEmpty();
  }

  private void iops(String series, int depth, double... values) {
    for (double value : values) {
      figures.add(Chart.IOPS, series, depth, value);
    }
  }

  private Document parsed() {
    String html = new Report(figures, MACHINE).html();
    try {
      return DocumentBuilderFactory.newInstance()
          .newDocumentBuilder()
          .parse(new InputSource(new StringReader(html.substring(html.indexOf('\n') + 1))));
    } catch (ParserConfigurationException | SAXException | IOException e) {
      throw new AssertionError("not well-formed", e);
    }
  }

  private static Element section(Document page, Chart chart) {
    return elements(page.getElementsByTagName("section"))
        .filter(section -> section.getAttribute("id").equals(chart.name()))
        .findFirst()
        .orElseThrow();
  }

  private Element plot(Chart chart) {
    return elements(section(parsed(), chart).getElementsByTagName("svg"))
        .filter(svg -> svg.getAttribute("role").equals("img"))
        .findFirst()
        .orElseThrow();
  }

  private static List<String> cells(Element section, int row) {
    Element line = (Element) section.getElementsByTagName("tr").item(row + 1);
    return elements(line.getElementsByTagName("td")).map(Element::getTextContent).toList();
  }

  private static Stream<Element> elements(NodeList nodes) {
    return IntStream.range(0, nodes.getLength()).mapToObj(i -> (Element) nodes.item(i));
  }
}
