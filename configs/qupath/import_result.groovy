/*
 * Bring a cxpath result into the open image: every cell with its class, staining and measurements and, where
 * `cxpath export DIR --format qupath` has written it, the tissue, the fields and the heat map.
 *
 * For QuPath 0.6 and 0.7. Open the slide that was scored, then run this script from the script editor and
 * choose the result's folder. To run without asking, pass the folder as the first argument:
 *
 *     QuPath script --image slide.svs --args cxpath-out/slide import_result.groovy
 *
 * Objects of an earlier import are replaced; your own annotations stay.
 * For Research Use Only. Not for use in diagnostic procedures.
 */

import java.util.zip.GZIPInputStream
import qupath.fx.dialogs.Dialogs
import qupath.fx.dialogs.FileChoosers
import qupath.lib.io.PathIO

final String CELLS = 'cells.geojson.gz'
final String OVERLAY = 'overlay.geojson.gz'
final String MARK = 'cxpath'          // metadata key of annotations that this script brought
final String OF_CELLS = 'subkind_code' // measurement of every cell of cxpath
final double MOST_DIFFERENCE = 0.02   // of micrometres per pixel

def counted = { int number, String what -> number == 1 ? "1 ${what}" : "${number} ${what}s" }

def imageData = getCurrentImageData()
if (imageData == null) {
    Dialogs.showErrorMessage('cxpath', 'Open the slide that was scored, then run this script again.')
    return
}
def given = binding.hasVariable('args') && args ? new File(args[0]) : null
def folder = given ?: FileChoosers.promptForDirectory('Folder of a cxpath result', null)
if (folder == null) {
    return
}
def cellsFile = new File(folder, CELLS)
if (!cellsFile.isFile()) {
    Dialogs.showErrorMessage('cxpath', "${folder}: no ${CELLS}; choose a folder that cxpath score wrote.")
    return
}

// The file states the size of its pixels first: cells of another slide, or scale, must not pass unseen.
def beginning = new GZIPInputStream(new FileInputStream(cellsFile)).withCloseable {
    new String(it.readNBytes(4096), 'UTF-8')
}
def stated = (beginning =~ /"mpp":\s*([0-9.eE+-]+)/)
double scored = stated.find() ? Double.parseDouble(stated.group(1)) : Double.NaN
double shown = imageData.getServer().getPixelCalibration().getAveragedPixelSizeMicrons()
if (Math.abs(scored / shown - 1) > MOST_DIFFERENCE) {
    def question = "The result is of ${scored} \u00b5m/px, the open image of ${shown}. Import it all the same?"
    if (given != null || !Dialogs.showYesNoDialog('cxpath', question)) {
        println "cxpath: not imported: the result is of ${scored} \u00b5m/px, the open image of ${shown}"
        return
    }
}

// A map of metadata for each of a million cells would fill the memory, so cells are known by a measurement.
def hierarchy = imageData.getHierarchy()
def earlier = hierarchy.getAnnotationObjects().findAll { it.getMetadata().containsKey(MARK) }
earlier += hierarchy.getDetectionObjects().findAll { it.getMeasurementList().containsKey(OF_CELLS) }
hierarchy.removeObjects(earlier, true)

int cells = 0
int others = 0
for (name in [CELLS, OVERLAY]) {
    def file = new File(folder, name)
    if (!file.isFile()) {
        println "cxpath: ${name} is not there; `cxpath export ${folder} --format qupath` writes it"
        continue
    }
    def objects = PathIO.readObjects(file)
    objects.findAll { it.isAnnotation() }.each {
        it.getMetadata().put(MARK, folder.getName())
        it.setLocked(true)
    }
    hierarchy.addObjects(objects)
    if (name == CELLS) {
        cells = objects.size()
    } else {
        others = objects.size()
    }
}
fireHierarchyUpdate()
println "cxpath: ${counted(cells, 'cell')} and ${counted(others, 'other object')} of ${folder}"
println "cxpath: ${counted(earlier.size(), 'object')} of an earlier import replaced"
println 'For Research Use Only. Not for use in diagnostic procedures.'
